"""How many calls are under way to each instance."""

from __future__ import annotations

import threading
from collections import deque

from otel_resilience.discovery.service_info import InstanceKey
from otel_resilience.forking import forget_after_fork


class Load:
    """Counts by instance, kept only while above 0. Safe for threads; who only reads takes no lock."""

    def __init__(self) -> None:
        self.forget()
        forget_after_fork(self)

    def begin(self, key: InstanceKey) -> None:
        with self._lock:
            self._active[key] = self._active.get(key, 0) + 1
        self._take_back()

    def end(self, key: InstanceKey) -> None:
        # The garbage collector may end a call in the midst of anything, so that nobody may wait for the lock here.
        self._ended.append(key)
        self._take_back()

    def of(self, key: InstanceKey) -> int:
        """Calls that are under way to one instance."""
        return self._active.get(key, 0)

    def busy(self) -> tuple[InstanceKey, ...]:
        """The instances that calls are under way to."""
        return tuple(self._active.copy())

    def forget(self) -> None:
        """In a forked child: it has none of its parent's calls, and no use for a lock that somebody held there."""
        self._lock = threading.Lock()  # guards the counts; nothing else happens under it
        self._active: dict[InstanceKey, int] = {}
        self._ended: deque[InstanceKey] = deque()

    def _take_back(self) -> None:
        """Count what has ended. If somebody has the lock, it is he who does it, right after letting go of it."""
        while self._ended and self._lock.acquire(blocking=False):
            try:
                while self._ended:
                    key = self._ended.popleft()
                    left = self._active.pop(key, 0) - 1
                    if left > 0:
                        self._active[key] = left
            finally:
                self._lock.release()
