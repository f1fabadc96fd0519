"""What a server remembers of the one request that it is answering."""

from __future__ import annotations

import threading
from contextlib import suppress
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING

from otel_resilience.context import guards, leaving
from otel_resilience.context.guards import GuardedCall

if TYPE_CHECKING:
    from otel_resilience.errors.failed_call import FailedCall

#: Failed calls of one request that are kept; a job that makes a million of them is told by its last ones.
MOST_FAILURES = 64


class Request:
    """One request in hand. Shared by all tasks and threads that work on it.

    ``attempt`` is the number that the caller gave it (1 is the first), ``reads_chains`` whether an error chain may be
    sent back, ``span`` trace and span id of the SERVER span, ``failures`` the calls of ours that failed and from which
    nothing around them has recovered, in the order in which they ended.
    """

    __slots__ = ("_failures", "_lock", "attempt", "operation", "reads_chains", "span")

    def __init__(self, *, attempt: int = 1, reads_chains: bool = False, operation: str | None = None) -> None:
        self.attempt = attempt
        self.reads_chains = reads_chains
        self.operation = operation
        self.span: tuple[str, str] | None = None
        # Guards the list. Reentrant, and the list is changed one step at a time: the garbage collector or a signal may end a call
        # in the midst of it, which fails too.
        self._lock = threading.RLock()
        self._failures: list[tuple[GuardedCall | None, FailedCall]] = []

    @property
    def failures(self) -> tuple[FailedCall, ...]:
        return tuple(failed for _, failed in self._failures.copy())

    def remember(self, failed: FailedCall) -> None:
        """A call of ours has failed, inside of the guards around the code that says so; one left behind failed for nobody."""
        inside = guards.current()
        with self._lock:
            if not guards.is_left_behind(inside):
                self._failures.append((inside, failed))
                del self._failures[:-MOST_FAILURES]

    def take_inside(self, guard: GuardedCall) -> tuple[FailedCall, ...]:
        """Forget what failed inside of ``guard`` and answer with it: the end of that call is what counts now."""
        with self._lock:  # also where there are none: somebody left behind may be about to add one
            taken = [each for each in self._failures if guards.is_inside(each[0], guard)]
            for each in taken:
                with suppress(ValueError):  # one that came up meanwhile may have pushed it out
                    self._failures.remove(each)
        return tuple(failed for _, failed in taken)


_request: ContextVar[Request | None] = ContextVar("otel_resilience.request", default=None)


def current() -> Request | None:
    """The request in hand, ``None`` outside of one."""
    return _request.get()


def enter(request: Request) -> Token[Request | None]:
    """Begin to answer ``request``; ``leave`` ends it."""
    return _request.set(request)


def leave(token: Token[Request | None]) -> None:
    """Undo ``enter``, in whatever context."""
    leaving.leave(_request, token)
