"""What a guard makes of what it decorates: each kind of callable stays of its kind."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Generator
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

from otel_resilience.flow.call import Arguments
from otel_resilience.flow.guarded_class import guard_class
from otel_resilience.flow.sync_stream import GuardedGenerator

if TYPE_CHECKING:
    from otel_resilience.flow.guard import Guard


class Kind(Enum):
    """How a callable answers."""

    PLAIN = auto()
    COROUTINE = auto()
    GENERATOR = auto()
    ASYNC_GENERATOR = auto()


def kind_of(fn: Any) -> Kind:
    """How ``fn`` answers: a function, a method, what a partial wraps, an object that can be called."""
    while isinstance(fn, functools.partial):
        fn = fn.func
    candidates = [fn] if inspect.isroutine(fn) or isinstance(fn, type) else [fn, type(fn).__call__]
    for candidate in candidates:
        if inspect.iscoroutinefunction(candidate):
            return Kind.COROUTINE
        if inspect.isasyncgenfunction(candidate):
            return Kind.ASYNC_GENERATOR
        if inspect.isgeneratorfunction(candidate):
            return Kind.GENERATOR
    return Kind.PLAIN


def decorate(guard: Guard, fn: Any) -> Any:
    """``fn`` guarded. A class is changed and returned; of anything else a new callable is made."""
    if isinstance(fn, staticmethod | classmethod):
        return type(fn)(decorate(guard, fn.__func__))
    if isinstance(fn, type):
        guard_class(guard, fn)
        return fn
    if not callable(fn):
        raise TypeError(f"{type(guard).__name__} guards functions, methods and classes, got {fn!r}")
    wrapper = _WRAPPERS[kind_of(fn)](guard, fn)
    return functools.update_wrapper(wrapper, fn)


def _plain(guard: Guard, fn: Any) -> Callable[..., Any]:
    def guarded(*args: Any, **kwargs: Any) -> Any:
        return guard.execute_plain(fn, args, kwargs)

    return guarded


def _coroutine(guard: Guard, fn: Any) -> Callable[..., Any]:
    async def guarded(*args: Any, **kwargs: Any) -> Any:
        return await guard.aexecute(
            functools.partial(fn, *args, **kwargs), arguments=Arguments(args, kwargs, fn)
        )

    return guarded


def _generator(guard: Guard, fn: Any) -> Callable[..., Any]:
    def guarded(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        start = functools.partial(fn, *args, **kwargs)
        if not guard.enabled:
            return (yield from start())
        return (
            yield from GuardedGenerator(
                functools.partial(guard.begin_stream, Arguments(args, kwargs, fn)), start
            )
        )

    return guarded


def _async_generator(guard: Guard, fn: Any) -> Callable[..., Any]:
    from otel_resilience.flow.async_stream import wrapper  # asyncio costs 30 ms, and threads do not need it

    return wrapper(guard, fn)


_WRAPPERS = {
    Kind.PLAIN: _plain,
    Kind.COROUTINE: _coroutine,
    Kind.GENERATOR: _generator,
    Kind.ASYNC_GENERATOR: _async_generator,
}
