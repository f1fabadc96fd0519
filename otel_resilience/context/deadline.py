"""The deadline of the work in hand: shared by everything inside one call or request, invisible to its siblings.

It is an instant of the process's monotonic clock; between hosts only what remains of it travels.
"""

from __future__ import annotations

from contextvars import ContextVar, Token
from typing import Self

from otel_resilience import clock
from otel_resilience.context import leaving
from otel_resilience.exceptions import DeadlineExceededError

_expires_at: ContextVar[float | None] = ContextVar("otel_resilience.deadline", default=None)


class Deadline:
    """An instant by which the work in hand must be done. Immutable, safe to share."""

    __slots__ = ("_expires_at",)

    def __init__(self, expires_at: float) -> None:
        self._expires_at = expires_at

    @classmethod
    def current(cls) -> Self | None:
        """The deadline of this call or request, ``None`` where there is none."""
        expires_at = _expires_at.get()
        return None if expires_at is None else cls(expires_at)

    def remaining(self) -> float:
        """Seconds that are left, never below 0."""
        return max(0.0, self._expires_at - clock.current().monotonic())

    @property
    def expired(self) -> bool:
        return self.remaining() <= 0.0

    @staticmethod
    def check() -> None:
        """Raise ``DeadlineExceededError`` if the current deadline has passed; cheap enough for a loop."""
        expires_at = _expires_at.get()
        if expires_at is not None and clock.current().monotonic() >= expires_at:
            raise DeadlineExceededError("the deadline of this call has passed")

    def __repr__(self) -> str:
        return f"Deadline(remaining={self.remaining():.3f})"


def expires_at() -> float | None:
    """The current deadline as an instant of the monotonic clock."""
    return _expires_at.get()


def remaining() -> float | None:
    """Seconds left to the current deadline, never below 0; ``None`` where there is none."""
    instant = _expires_at.get()
    return None if instant is None else max(0.0, instant - clock.current().monotonic())


def tighten(seconds: float) -> Token[float | None]:
    """Set the deadline ``seconds`` from now, unless an earlier one is in force; ``restore`` ends it."""
    instant = clock.current().monotonic() + seconds
    outer = _expires_at.get()
    return _expires_at.set(instant if outer is None else min(outer, instant))


def resume(instant: float | None) -> Token[float | None]:
    """Go on with work whose deadline is ``instant``, as ``expires_at`` said it; ``restore`` ends it."""
    return _expires_at.set(instant)


def clear() -> Token[float | None]:
    """Begin work that no deadline of the surrounding context binds (a new request)."""
    return _expires_at.set(None)


def restore(token: Token[float | None]) -> None:
    """Undo ``tighten``, ``resume`` or ``clear``, in whatever context."""
    leaving.leave(_expires_at, token)
