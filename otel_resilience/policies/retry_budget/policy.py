"""How much a target may be retried: a share of the traffic that it gets, and a floor.

Finagle's budget: without one, retries multiply the load on a dependency just when it can bear it least.
"""

from __future__ import annotations

import threading
import weakref

from otel_resilience import clock
from otel_resilience.forking import ProcessLock, forget_after_fork
from otel_resilience.inventory import POLICIES
from otel_resilience.policies import checks
from otel_resilience.windows.sliding_count import SlidingCount

#: 0.29 × 100 is 28.999…: what is whole on paper must not be refused.
_ROUNDING = 1e-9


class RetryBudget:
    """Bounds the retries and hedges of one target, in every policy that shares the budget.

    The limit is ``min_per_second`` × ``window_seconds`` plus ``ratio`` × the first attempts of the last
    ``window_seconds``; what is available is the limit less the retries and hedges of that time, and each
    needs 1. ``ratio=0, min_per_second=0`` permits none. Raises ``ConfigurationError`` for a wrong option.
    Safe for threads and tasks. A forked child counts from zero.
    """

    policy_type = "retry_budget"

    def __init__(
        self, *, ratio: float = 0.2, min_per_second: float = 1.0, window_seconds: float = 10.0
    ) -> None:
        self._ratio = checks.number_at_least("RetryBudget", "ratio", ratio, 0.0)
        self._floor = checks.number_at_least("RetryBudget", "min_per_second", min_per_second, 0.0)
        self._window = checks.positive_seconds("RetryBudget", "window_seconds", window_seconds)
        self._name: str | None = None
        self.forget()
        forget_after_fork(self)

    def forget(self) -> None:
        """Know of no attempt, with a lock that nobody holds."""
        # Guards both counts; nothing else happens under it. It may be taken again by who holds it: a signal handler may
        # make a call wherever its thread is.
        self._lock = threading.RLock()
        self._first_attempts = SlidingCount(self._window)
        self._spent = SlidingCount(self._window)

    def bind(self, name: str) -> None:
        """Be reported under ``name``; the first one counts."""
        if self._name is None:
            self._name = name
            POLICIES.add(self.policy_type, name, self)

    @property
    def limit(self) -> float:
        """Retries and hedges that the traffic of the last window permits."""
        now = clock.current().monotonic()
        with self._lock:
            return self._limit_locked(now)

    @property
    def available(self) -> float:
        """What is left of the limit, never below 0."""
        now = clock.current().monotonic()
        with self._lock:
            return max(0.0, self._limit_locked(now) - self._spent.total(now))

    def record_first_attempt(self, now: float) -> None:
        """A call that was not a retry was made at ``now``."""
        with self._lock:
            self._first_attempts.add(now)

    def take(self, now: float) -> bool:
        """Spend 1 at ``now`` if it is there."""
        with self._lock:
            if self._limit_locked(now) - self._spent.total(now) < 1.0 - _ROUNDING:
                return False
            self._spent.add(now)
            return True

    def _limit_locked(self, now: float) -> float:
        return self._floor * self._window + self._ratio * self._first_attempts.total(now)

    def __repr__(self) -> str:
        return f"RetryBudget(ratio={self._ratio:g}, min_per_second={self._floor:g}, window_seconds={self._window:g})"


_by_name: weakref.WeakValueDictionary[str, RetryBudget] = weakref.WeakValueDictionary()
_naming = ProcessLock()  # guards the mapping, so that two pipelines of a name get one budget


def budget_of(name: str) -> RetryBudget:
    """The default budget of everything called ``name``, made at first use and kept while somebody uses it."""
    with _naming:
        budget = _by_name.get(name)
        if budget is None:
            budget = _by_name[name] = RetryBudget()
    budget.bind(name)
    return budget
