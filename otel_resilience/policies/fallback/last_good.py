"""The last good value for each function and its arguments: bounded, and never one call's answer for another's question."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from contextlib import suppress
from typing import Any

from otel_resilience.flow.call import Arguments
from otel_resilience.forking import forget_after_fork

#: Sets of arguments that a memory keeps; the one used longest ago goes first.
MAX_KEPT = 128


class LastGood:
    """Remembers values by the function and the arguments that they are the answer to. Safe for threads. ``max_age`` in seconds."""

    def __init__(self, max_age: float | None) -> None:
        self.max_age = max_age
        self.forget()
        forget_after_fork(self)

    def forget(self) -> None:
        """Remember nothing, with a lock that nobody holds."""
        # Guards the table. Hashing of users' objects happens before; comparing them may call anything, also this again.
        self._lock = threading.RLock()
        self._kept: OrderedDict[Hashable, tuple[float, Any]] = OrderedDict()

    def remember(self, arguments: Arguments, value: Any, now: float) -> None:
        """``value`` is good at ``now``; what cannot be a key is not remembered."""
        key = _key(arguments)
        if key is None:
            return
        with self._lock, suppress(Exception):  # arguments that cannot be compared are no key either
            self._kept[key] = (now, value)
            self._kept.move_to_end(key)
            if len(self._kept) > MAX_KEPT:
                self._kept.popitem(last=False)

    def recall(self, arguments: Arguments, now: float) -> tuple[Any] | None:
        """The value in a tuple of its own, ``None`` where there is none that is young enough."""
        key = _key(arguments)
        if key is None:
            return None
        with self._lock, suppress(Exception):
            kept = self._kept.get(key)
            if kept is not None and (self.max_age is None or now - kept[0] <= self.max_age):
                self._kept.move_to_end(key)
                return (kept[1],)
        return None


class _Key:
    """A function and arguments whose hash is computed once, outside of the lock; 1, 1.0 and True are three."""

    __slots__ = ("_hash", "_parts")

    def __init__(self, parts: tuple[Any, ...]) -> None:
        self._parts = parts
        self._hash = hash(parts)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self._parts == other._parts


def _key(arguments: Arguments) -> Hashable | None:
    positional, named, function = arguments
    if function is None:
        return None
    values = (*positional, *(named[name] for name in sorted(named)))
    try:
        return _Key((function, values, tuple(sorted(named)), tuple(map(type, values))))
    except Exception:  # no hash, or one that raises: then no two calls are known to be the same
        return None
