"""What a server remembers of the one request that it is answering."""

from __future__ import annotations

from contextvars import ContextVar, Token
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from otel_resilience.errors.failed_call import FailedCall


class Request:
    """One request in hand. Shared by all tasks and threads that work on it; its fields are set, never counted up.

    ``attempt`` is the number that the caller gave it (1 is the first), ``reads_chains`` whether an error chain may be
    sent back, ``span`` trace and span id of the SERVER span, ``last_failure`` the last call of ours that failed.
    """

    __slots__ = ("attempt", "last_failure", "operation", "reads_chains", "span")

    def __init__(self, *, attempt: int = 1, reads_chains: bool = False, operation: str | None = None) -> None:
        self.attempt = attempt
        self.reads_chains = reads_chains
        self.operation = operation
        self.span: tuple[str, str] | None = None
        self.last_failure: FailedCall | None = None


_request: ContextVar[Request | None] = ContextVar("otel_resilience.request", default=None)


def current() -> Request | None:
    """The request in hand, ``None`` outside of one."""
    return _request.get()


def enter(request: Request) -> Token[Request | None]:
    """Begin to answer ``request``; ``leave`` ends it."""
    return _request.set(request)


def leave(token: Token[Request | None]) -> None:
    """Undo ``enter`` in the same context."""
    _request.reset(token)
