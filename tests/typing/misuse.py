"""What type checkers must refuse: one mistake on each line that ends in ``# wrong``.

Never run: ``test_typing.py`` has mypy and pyright read it.
"""

from __future__ import annotations

from otel_resilience import CircuitBreaker, Fallback, FaultInjector, Hedge, Pipeline, Retry, Timeout

guard = Pipeline("p", CircuitBreaker())


@guard
def plain(amount: int, *, currency: str = "EUR") -> str:
    return f"{amount} {currency}"


@guard
class Connection:
    def __init__(self, host: str) -> None:
        self.host = host


plain("three")  # wrong
plain(3, "CHF")  # wrong
plain()  # wrong
number: int = plain(3)  # wrong
guard.call(plain, "three")  # wrong
Connection(3)  # wrong
Retry()  # wrong
Timeout("1s")  # wrong
Hedge(after="1s")  # wrong
Fallback()  # wrong
FaultInjector(rate="often")  # wrong
Pipeline("p", object())  # wrong
