"""The bulkheads of a process that are found by their names."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from otel_resilience.exceptions import ConfigurationError
from otel_resilience.forking import forget_after_fork
from otel_resilience.policies import checks
from otel_resilience.policies.shown import told

if TYPE_CHECKING:
    from otel_resilience.policies.bulkhead.policy import Bulkhead


class Pools:
    """Bulkheads by name, kept for the life of the process. Safe for threads."""

    def __init__(self) -> None:
        self._pools: dict[str, Bulkhead] = {}
        self.forget()
        forget_after_fork(self)

    def forget(self) -> None:
        """Have a lock that nobody holds; the pools live on in a forked child, each as new."""
        self._lock = threading.Lock()  # guards the mapping, so that two threads get one pool

    def add(self, name: str, pool: Bulkhead) -> Bulkhead:
        """Keep ``pool`` as ``name``, or answer with the one of that name, if it has the same options."""
        if not isinstance(name, str) or not name:
            raise checks.fault("Bulkhead", "pool name", name, "a text that is not empty")
        with self._lock:
            known = self._pools.setdefault(name, pool)
        if known.options != pool.options:
            raise ConfigurationError(
                f"Bulkhead pool {name!r} must keep its options ({known.options!r}), got {pool.options!r}"
            )
        known.bind(name)
        return known

    def find(self, name: str) -> Bulkhead:
        """The pool called ``name``; ``ConfigurationError`` if there is none."""
        pool = self._pools.get(name)
        if pool is not None:
            return pool
        import difflib  # only who is wrong needs it

        choices = sorted(self._pools)
        near = difflib.get_close_matches(str(name), choices, n=2) or choices
        known = f"did you mean {' or '.join(near)}?" if near else "none was created so far"
        raise ConfigurationError(
            f"Bulkhead pool must be one that create_pool made, got {told(name)}: {known}"
        )


POOLS = Pools()
