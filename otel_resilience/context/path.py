"""The way of a request through the services and operations of this process."""

from __future__ import annotations

from contextvars import ContextVar, Token
from typing import NamedTuple


class Step(NamedTuple):
    """One operation of one service on a request's way."""

    service: str
    operation: str


_path: ContextVar[tuple[Step, ...]] = ContextVar("otel_resilience.request_path", default=())


def current() -> tuple[Step, ...]:
    """The steps around the code that runs, outermost first."""
    return _path.get()


def enter(step: Step) -> Token[tuple[Step, ...]]:
    """Go one step further; ``leave`` goes back."""
    return _path.set((*_path.get(), step))


def leave(token: Token[tuple[Step, ...]]) -> None:
    """Undo ``enter`` in the same context."""
    _path.reset(token)
