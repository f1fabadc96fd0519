"""The breakers of one parent, by key: bounded in number, each one object while it lives."""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, Protocol, TypeVar

#: How many keys a breaker keeps apart; the calls of further ones share a breaker while none of these is idle.
MAX_KEYS = 10_000
#: How many of the longest unused are looked at for an idle one, so that finding a place takes bounded time.
_LOOKED_AT = 16


class Keyed(Protocol):
    """What is kept by key."""

    @property
    def idle(self) -> bool:
        """Whether a new one would do as well."""
        ...


K = TypeVar("K", bound=Keyed)


class KeyedRoom(Generic[K]):
    """At most ``MAX_KEYS``, the longest unused idle one leaving for a new one. Safe for threads.

    One that has left and is still held by somebody is found again under its key. An open circuit whose time
    is not over, and one that somebody forces, do not leave: where all are such, the rest share one.
    """

    def __init__(self) -> None:
        # Guards the three below; nothing is made or announced under it. It may be taken again by who holds it: keys are
        # users' objects, whose comparison may call anything, and a signal handler may make a call wherever its thread is.
        self._lock = threading.RLock()
        self._kept: OrderedDict[Hashable, K] = OrderedDict()  # the longest unused first
        self._living: weakref.WeakValueDictionary[Hashable, K] = weakref.WeakValueDictionary()
        self._shared: K | None = None

    def get(self, key: Hashable, make: Callable[[], K]) -> K:
        """The one for ``key``, made at first use."""
        with self._lock:
            found = self._find(key)
        if found is not None:
            return found
        made = make()
        with self._lock:
            return self._find(key) or self._keep(key, made)

    def everyone(self) -> list[K]:
        """All that live."""
        with self._lock:
            living = list(self._living.values())
            return living if self._shared is None else [*living, self._shared]

    def forget(self) -> None:
        """Have a lock that nobody holds, in a forked child."""
        self._lock = threading.RLock()

    def _find(self, key: Hashable) -> K | None:
        found = self._living.get(key)
        if found is not None and key in self._kept:
            self._kept.move_to_end(key)
        elif found is not None and self._has_place():
            self._kept[key] = found
        return found

    def _keep(self, key: Hashable, made: K) -> K:
        if self._has_place():
            self._kept[key] = self._living[key] = made
            return made
        if self._shared is None:
            self._shared = made
        return self._shared

    def _has_place(self) -> bool:
        if len(self._kept) < MAX_KEYS:
            return True
        for _ in range(min(_LOOKED_AT, len(self._kept))):
            key, oldest = next(iter(self._kept.items()))
            if oldest.idle:
                self._kept.pop(key, None)
                return True
            # A second chance: the next search begins behind it.
            self._kept.move_to_end(key)
        return False
