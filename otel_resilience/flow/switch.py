"""One switch for all guards of the process: users' tests turn them off."""

from __future__ import annotations

from otel_resilience.forking import ProcessLock

_lock = ProcessLock()  # guards the count; nothing else happens under it
_off = 0


def is_off() -> bool:
    """Whether calls go through as if nothing were guarded."""
    return _off > 0


def turn_off() -> None:
    """Turn all guards off; as often as it is called, ``turn_on`` turns them on again."""
    global _off
    with _lock:
        _off += 1


def turn_on() -> None:
    """Undo one ``turn_off``."""
    global _off
    with _lock:
        _off -= 1
