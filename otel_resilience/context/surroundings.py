"""What a guarded call sets in its context, as one value: for calls that do not end in the order they began in."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

from otel_resilience.context import attempt, deadline, guards

_VARIABLES: tuple[ContextVar[Any], ...] = (attempt._attempt, guards._guard, deadline._expires_at)

Surroundings = tuple[Any, ...]


def take() -> Surroundings:
    """Attempt, guards and deadline as they are here and now."""
    return tuple(variable.get() for variable in _VARIABLES)


def restore(surroundings: Surroundings) -> None:
    """Make them what they were."""
    for variable, value in zip(_VARIABLES, surroundings, strict=True):
        variable.set(value)
