"""At most one a second: what keeps an outage from filling the logs with one line per call."""

from __future__ import annotations

import os
import threading

from otel_resilience import clock
from otel_resilience.forking import forget_after_fork

#: Seconds between two records of one kind.
INTERVAL = 1.0
#: Kinds that are told apart; beyond them all share one second.
MAX_KINDS = 1000

_Kind = tuple[str, str]
_REST: _Kind = ("", "")


class RateCap:
    """Lets one of each kind pass per second and counts the others. Safe for threads; a forked child begins anew."""

    def __init__(self) -> None:
        self.forget()
        forget_after_fork(self)

    def forget(self) -> None:
        """Begin anew, with a lock that nobody holds."""
        # Guards the table. Reentrant: the garbage collector may end a call wherever a thread is.
        self._lock = threading.RLock()
        self._passed: dict[_Kind, tuple[float, int]] = {}  # instant of the last one, held back since
        self._pid = os.getpid()

    def take(self, policy: str, event: str) -> int | None:
        """``None``: hold this one back. Else how many were held back since the last one that passed."""
        if self._pid != os.getpid():
            self.forget()
        now = clock.current().monotonic()
        kind: _Kind = (policy, event)
        with self._lock:
            if kind not in self._passed and len(self._passed) >= MAX_KINDS:
                kind = _REST
            last, held_back = self._passed.get(kind, (None, 0))
            if last is not None and 0.0 <= now - last < INTERVAL:
                self._passed[kind] = (last, held_back + 1)
                return None
            self._passed[kind] = (now, 0)
            return held_back
