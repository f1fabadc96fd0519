"""How many calls are under way to each instance."""

from __future__ import annotations

import threading

from otel_resilience.discovery.service_info import InstanceKey
from otel_resilience.forking import forget_after_fork


class Load:
    """Counts by instance, kept only while above 0. Safe for threads; who only reads takes no lock."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards one addition
        self._active: dict[InstanceKey, int] = {}
        forget_after_fork(self)

    def begin(self, key: InstanceKey) -> None:
        with self._lock:
            self._active[key] = self._active.get(key, 0) + 1

    def end(self, key: InstanceKey) -> None:
        with self._lock:
            left = self._active.get(key, 0) - 1
            if left > 0:
                self._active[key] = left
            else:
                self._active.pop(key, None)

    def of(self, key: InstanceKey) -> int:
        """Calls that are under way to one instance."""
        return self._active.get(key, 0)

    def busy(self) -> tuple[InstanceKey, ...]:
        """The instances that calls are under way to."""
        return tuple(self._active.copy())

    def forget(self) -> None:
        """In a forked child: it has none of its parent's calls, and no use for a lock that somebody held there."""
        self._lock = threading.Lock()
        self._active = {}
