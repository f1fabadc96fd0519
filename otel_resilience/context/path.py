"""The way of a request through the services and operations of this process."""

from __future__ import annotations

from contextvars import ContextVar, Token
from typing import NamedTuple

from otel_resilience.context import leaving, request
from otel_resilience.context import service as services


class Step(NamedTuple):
    """One operation of one service on a request's way."""

    service: str
    operation: str


_path: ContextVar[tuple[Step, ...]] = ContextVar("otel_resilience.request_path", default=())


def current() -> tuple[Step, ...]:
    """The steps around the code that runs, outermost first; what the request in hand asked for comes before all."""
    steps, asked = _path.get(), request.current()
    if asked is None or asked.operation is None:
        return steps
    return (Step(services.current().name, asked.operation), *steps)


def enter(step: Step) -> Token[tuple[Step, ...]]:
    """Go one step further; ``leave`` goes back."""
    return _path.set((*_path.get(), step))


def leave(token: Token[tuple[Step, ...]]) -> None:
    """Undo ``enter``, in whatever context."""
    leaving.leave(_path, token)
