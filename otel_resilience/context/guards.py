"""The guards around the code that runs: only the outermost of a name counts a call, and each knows what failed inside it."""

from __future__ import annotations

from collections.abc import Iterator
from contextvars import ContextVar, Token

from otel_resilience.context import leaving


class GuardedCall:
    """One guarded call while it runs, known by its identity; ``outer`` is the one around it.

    ``left_behind``: it goes on, and nobody waits for it any more.
    """

    __slots__ = ("left_behind", "name", "outer")

    def __init__(self, name: str, outer: GuardedCall | None) -> None:
        self.name = name
        self.outer = outer
        self.left_behind = False


_guard: ContextVar[GuardedCall | None] = ContextVar("otel_resilience.guard", default=None)


def current() -> GuardedCall | None:
    """The innermost guard around this code, ``None`` outside of any."""
    return _guard.get()


def is_active(name: str) -> bool:
    """Whether a guard of that name is already around this code."""
    return any(guard.name == name for guard in _outwards(_guard.get()))


def is_inside(inner: GuardedCall | None, outer: GuardedCall) -> bool:
    """Whether ``inner`` is ``outer`` or runs inside of it."""
    return any(guard is outer for guard in _outwards(inner))


def is_left_behind(guard: GuardedCall | None) -> bool:
    """Whether nobody waits any more for what ``guard`` is around, or one around it."""
    return any(each.left_behind for each in _outwards(guard))


def enter_branch() -> tuple[GuardedCall, Token[GuardedCall | None]]:
    """Begin a part of the call in hand that may be left behind; ``leave`` ends it."""
    around = _guard.get()
    return enter("" if around is None else around.name)


def enter(name: str) -> tuple[GuardedCall, Token[GuardedCall | None]]:
    """Begin a guarded call; ``leave`` ends it."""
    guard = GuardedCall(name, _guard.get())
    return guard, _guard.set(guard)


def leave(token: Token[GuardedCall | None]) -> None:
    """Undo ``enter``, in whatever context."""
    leaving.leave(_guard, token)


def _outwards(guard: GuardedCall | None) -> Iterator[GuardedCall]:
    while guard is not None:
        yield guard
        guard = guard.outer
