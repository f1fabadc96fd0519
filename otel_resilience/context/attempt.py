"""Which attempt of which guarded call is being made: clients put it on the wire, a span processor on client spans."""

from __future__ import annotations

from contextvars import ContextVar, Token
from typing import NamedTuple

from otel_resilience.context import leaving


class Attempt(NamedTuple):
    """Attempt ``number`` (1 is the first) of a guarded call."""

    number: int


_attempt: ContextVar[Attempt | None] = ContextVar("otel_resilience.attempt", default=None)


def current() -> Attempt | None:
    """The attempt in hand, ``None`` outside of a guarded call."""
    return _attempt.get()


def enter(attempt: Attempt) -> Token[Attempt | None]:
    return _attempt.set(attempt)


def leave(token: Token[Attempt | None]) -> None:
    """Undo ``enter``, in whatever context."""
    leaving.leave(_attempt, token)
