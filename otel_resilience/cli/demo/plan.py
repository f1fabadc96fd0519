"""What must come of a fault, derived from the shop's policies before anything is started."""

from __future__ import annotations

from dataclasses import dataclass

from otel_resilience.cli.demo.fault import WAY, Fault
from otel_resilience.cli.demo.policies import ShopPolicies
from otel_resilience.errors.codes import RETRYABLE

#: Checkouts while all is well, before and after.
_GOOD = 5
#: Checkouts after those that are to open the circuit.
_AFTER = 5
#: What each service answers when the service behind it has failed, as the code of its hop.
_ANSWERS = {"payments": "UNAVAILABLE", "orders": "HTTP_503", "gateway": "HTTP_502"}
#: The service that has the breaker, and the one that it protects from.
GUARD, GUARDED = "orders", "payments"


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What a customer's checkouts came to."""

    successes: int = 0
    rejections: int = 0
    failures: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.successes + self.rejections + self.failures


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedChain:
    """The error chain on the gateway's SERVER span, root first."""

    services: tuple[str, ...]
    codes: tuple[str, ...]
    retryable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What must come of ``fault`` under ``policies``."""

    fault: Fault
    policies: ShopPolicies

    @property
    def opens(self) -> bool:
        """Whether the breaker of orders hears of the fault: it does of those behind it."""
        return WAY.index(self.fault.service) > WAY.index(GUARD)

    @property
    def attempts(self) -> int:
        """Reads of the account in one failing checkout; 0 where it never comes to that."""
        if self.fault.service != "ledger":
            return 0
        return self.policies.max_attempts if self.policies.retries(self.fault.code) else 1

    @property
    def healthy(self) -> Counts:
        """The first phase."""
        return Counts(successes=_GOOD)

    @property
    def failing(self) -> Counts:
        """The second phase: each fails until the circuit opens, then each is rejected."""
        threshold = self.policies.failure_threshold
        if self.opens:
            return Counts(failures=threshold, rejections=_AFTER)
        return Counts(failures=threshold + _AFTER)

    @property
    def recovered(self) -> Counts:
        """The third phase."""
        return Counts(successes=_GOOD)

    @property
    def failure_chain(self) -> ExpectedChain:
        """The chain of a failing checkout."""
        way = WAY[: WAY.index(self.fault.service) + 1][::-1]
        return ExpectedChain(
            services=way,
            codes=(self.fault.code, *(_ANSWERS[service] for service in way[1:])),
            retryable=self.fault.code in RETRYABLE,
        )

    @property
    def rejection_chain(self) -> ExpectedChain:
        """The chain of a rejected checkout: the rejecting service is its root."""
        return ExpectedChain(
            services=(GUARD, "gateway"), codes=("CIRCUIT_OPEN", _ANSWERS["gateway"]), retryable=False
        )

    @property
    def transitions(self) -> tuple[tuple[str, str], ...]:
        """What the breaker goes through, as pairs of previous state and state."""
        if not self.opens:
            return ()
        return (("closed", "open"), ("open", "half_open"), ("half_open", "closed"))

    @property
    def executions(self) -> dict[str, int]:
        """What orders counts of its calls to payments, by outcome."""
        counts = {"success": self.healthy.total + self.recovered.total}
        if self.opens:
            counts |= {"failure": self.failing.failures, "rejected": self.failing.rejections}
        return counts
