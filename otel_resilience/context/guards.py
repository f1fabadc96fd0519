"""The guards around the code that runs: only the outermost of a name counts a call, and each knows what failed inside it."""

from __future__ import annotations

from collections.abc import Iterator
from contextvars import ContextVar, Token

from otel_resilience.context import leaving


class Guard:
    """One guarded call while it runs, known by its identity; ``outer`` is the one around it.

    ``left_behind``: it goes on, and nobody waits for it any more.
    """

    __slots__ = ("left_behind", "name", "outer")

    def __init__(self, name: str, outer: Guard | None) -> None:
        self.name = name
        self.outer = outer
        self.left_behind = False


_guard: ContextVar[Guard | None] = ContextVar("otel_resilience.guard", default=None)


def current() -> Guard | None:
    """The innermost guard around this code, ``None`` outside of any."""
    return _guard.get()


def is_active(name: str) -> bool:
    """Whether a guard of that name is already around this code."""
    return any(guard.name == name for guard in _outwards(_guard.get()))


def is_inside(inner: Guard | None, outer: Guard) -> bool:
    """Whether ``inner`` is ``outer`` or runs inside of it."""
    return any(guard is outer for guard in _outwards(inner))


def is_left_behind(guard: Guard | None) -> bool:
    """Whether nobody waits any more for what ``guard`` is around, or one around it."""
    return any(each.left_behind for each in _outwards(guard))


def enter_branch() -> tuple[Guard, Token[Guard | None]]:
    """Begin a part of the call in hand that may be left behind; ``leave`` ends it."""
    around = _guard.get()
    return enter("" if around is None else around.name)


def enter(name: str) -> tuple[Guard, Token[Guard | None]]:
    """Begin a guarded call; ``leave`` ends it."""
    guard = Guard(name, _guard.get())
    return guard, _guard.set(guard)


def leave(token: Token[Guard | None]) -> None:
    """Undo ``enter``, in whatever context."""
    leaving.leave(_guard, token)


def _outwards(guard: Guard | None) -> Iterator[Guard]:
    while guard is not None:
        yield guard
        guard = guard.outer
