"""A breaker opens after failures in a row, refuses while it is open, and closes when a probe succeeds."""

from otel_resilience import CircuitBreaker, CircuitOpenError
from otel_resilience.testing import Draws, ManualClock

ledger = CircuitBreaker("ledger", failure_threshold=3, recovery_timeout=10.0)


@ledger
def read(healthy: bool) -> str:
    if not healthy:
        raise ConnectionRefusedError("the ledger does not answer")
    return "balance 100"


# The clock is in our hands, so that nobody has to wait for the example.
with ManualClock() as clock, Draws([0.0]):
    for attempt in range(1, 5):
        try:
            read(healthy=False)
        except CircuitOpenError as error:
            print(
                f"call {attempt}: refused, try again in {error.retry_after:.0f} s; opened by {error.cause.code}"
            )
        except ConnectionRefusedError as error:
            print(f"call {attempt}: {error}; the circuit is {ledger.state}")
    clock.advance(10.0)
    print("ten seconds later:", read(healthy=True), "- the circuit is", ledger.state)
