"""Which exceptions are on record with their stack: one record for each, at its origin."""

from __future__ import annotations

_MARK = "_otel_resilience_recorded"


def was_recorded(error: BaseException) -> bool:
    """Whether this very exception is on record already; from now on it is."""
    if getattr(error, _MARK, False):
        return True
    try:
        setattr(error, _MARK, True)
    except Exception:  # a class without a place for it, or one that refuses: better twice than not at all
        return False
    return False
