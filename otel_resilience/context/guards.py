"""The names of the guards around the code that runs, so that only the outermost of a name counts a call."""

from __future__ import annotations

from contextvars import ContextVar, Token

_names: ContextVar[tuple[str, ...]] = ContextVar("otel_resilience.guards", default=())


def is_active(name: str) -> bool:
    """Whether a guard of that name is already around this code."""
    return name in _names.get()


def enter(name: str) -> Token[tuple[str, ...]]:
    return _names.set((*_names.get(), name))


def leave(token: Token[tuple[str, ...]]) -> None:
    """Undo ``enter``; in another context, which ends with what was set in it, nothing is to be undone."""
    try:
        _names.reset(token)
    except ValueError:  # a generator or coroutine that somebody else closes, a block left elsewhere
        return
