"""Classes whose construction is guarded, and that stay the very classes they were."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from otel_resilience.flow.call import Arguments

if TYPE_CHECKING:
    from otel_resilience.flow.guard import Guard

_BUILT = object()


def guard_class(guard: Guard, cls: Any) -> None:
    """Let ``guard`` be around ``__init__`` of ``cls``, or ``__new__`` where it has that alone; subclasses inherit it.

    Another attempt initialises the same object again. Raises ``TypeError`` for a class that cannot be changed.
    """
    try:
        if cls.__init__ is object.__init__ and cls.__new__ is not object.__new__:
            cls.__new__ = staticmethod(_making(guard, cls.__new__))
        else:
            cls.__init__ = _initialising(guard, cls, cls.__init__)
    except TypeError:
        raise TypeError(
            f"{cls.__qualname__} cannot be guarded: it is no class written in Python; guard a function that makes one"
        ) from None


def _initialising(guard: Guard, cls: type, initialise: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(initialise)
    def __init__(self: Any, /, *args: Any, **kwargs: Any) -> None:  # noqa: N807 — it is one
        def invoke() -> object:
            initialise(self, *args, **kwargs)
            return _BUILT

        if guard.execute(invoke, arguments=Arguments(args, kwargs), alone=True) is not _BUILT:
            raise TypeError(f"nothing can stand in for the construction of {cls.__qualname__}")

    return __init__


def _making(guard: Guard, make: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(make)
    def __new__(made: type, /, *args: Any, **kwargs: Any) -> Any:  # noqa: N807 — it is one
        invoke = functools.partial(make, made, *args, **kwargs)
        return guard.execute(invoke, arguments=Arguments(args, kwargs), alone=True)

    return __new__
