"""The correlation id of the request in hand, a plain ``str`` in a context variable of its own."""

from __future__ import annotations

import secrets
from contextvars import ContextVar, Token

from otel_resilience.context import leaving

_correlation_id: ContextVar[str | None] = ContextVar("otel_resilience.correlation_id", default=None)


def generate() -> str:
    """A new id: 128 random bits as 32 hex digits."""
    return secrets.token_hex(16)


def current() -> str | None:
    """The id of the request in hand, ``None`` outside of one."""
    return _correlation_id.get()


def enter(correlation_id: str) -> Token[str | None]:
    """Begin work under ``correlation_id``; ``leave`` ends it."""
    return _correlation_id.set(correlation_id)


def leave(token: Token[str | None]) -> None:
    """Undo ``enter``, in whatever context."""
    leaving.leave(_correlation_id, token)
