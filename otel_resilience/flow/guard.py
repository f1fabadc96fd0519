"""What every policy and every pipeline can do: guard a function, call one, await one."""

from __future__ import annotations

import functools
import inspect
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from types import CoroutineType, TracebackType
from typing import Any, ParamSpec, Self, TypeVar, overload

from otel_resilience.context import surroundings
from otel_resilience.errors.reading import PLAIN, Dialect
from otel_resilience.flow import switch, sync_driver
from otel_resilience.flow.block import Block, Cooperative, UnguardedBlock, innermost
from otel_resilience.flow.call import NO_ARGUMENTS, NOT_IDEMPOTENT, Arguments, Call
from otel_resilience.flow.decorate import Kind, decorate, kind_of
from otel_resilience.flow.effects import Flow, Proceed
from otel_resilience.flow.execution import Execution
from otel_resilience.flow.parked import ParkedExecution
from otel_resilience.outcome import Failure, Mode, Result, unwrap

P = ParamSpec("P")
T = TypeVar("T")


class Guard(ABC):
    """Guards calls.

    One object may be used by many threads and tasks at once: what one call needs lives in the call.
    """

    _name: str | None = None
    _mode: Mode = Mode.ENFORCE
    _traced: bool = False
    #: Whether one admission is all there is to it, so that a block can be guarded; a retry would have to run it again.
    guards_blocks: bool = False

    @property
    def name(self) -> str | None:
        """The name that telemetry reports; ``None`` until one is given or taken over."""
        return self._name

    def bind(self, name: str) -> None:
        """Take ``name`` where none was given. The first one counts."""
        if self._name is None:
            self._name = name

    @abstractmethod
    def flow(self, call: Call, proceed: Proceed) -> Flow:
        """What this guard does around ``proceed``."""

    def call(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call ``fn`` guarded, in this thread.

        Raises what ``fn`` raises, as the same object, or a ``ResilienceError``; ``TypeError`` for a coroutine function.
        """
        kind = kind_of(fn)
        if kind in (Kind.COROUTINE, Kind.ASYNC_GENERATOR):
            raise TypeError(
                f"call() is for plain functions, {qualified_name(fn)} is a coroutine function: use acall()"
            )
        self.bind(qualified_name(fn))
        if kind is Kind.GENERATOR:
            return self(fn)(*args, **kwargs)
        value: T = self.execute_plain(fn, args, kwargs)
        return value

    @overload
    async def acall(self, fn: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs) -> T: ...
    @overload
    async def acall(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T: ...
    async def acall(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Await ``fn`` guarded, in this task; a plain function runs on the loop. Raises as ``call`` does."""
        self.bind(qualified_name(fn))
        if kind_of(fn) in (Kind.GENERATOR, Kind.ASYNC_GENERATOR):
            return self(fn)(*args, **kwargs)
        return await self.aexecute(
            functools.partial(fn, *args, **kwargs), arguments=Arguments(args, kwargs, fn)
        )

    @overload
    def __call__(self, fn: type[T]) -> type[T]: ...
    @overload
    def __call__(self, fn: Callable[P, T]) -> Callable[P, T]: ...
    def __call__(self, fn: Any) -> Any:
        """Decorate a function, method, generator or class, coroutine or not: the same kind and signature, guarded.

        A generator's call lasts until its end, and is retried only before its first item. Of a class the
        construction is guarded.
        """
        guarded = decorate(self, fn)
        self.bind(qualified_name(getattr(fn, "__func__", fn)))
        return guarded

    def execute_plain(self, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Call a function that is no coroutine function. One that gives a coroutine all the same is a ``TypeError``."""
        value = self.execute(functools.partial(fn, *args, **kwargs), arguments=Arguments(args, kwargs, fn))
        if isinstance(value, CoroutineType) and self.enabled and self._mode is Mode.ENFORCE:
            value.close()
            raise TypeError(
                f"{qualified_name(fn)} gave a coroutine, which would run unguarded: use acall(), or guard the coroutine function"
            )
        return value

    def execute(
        self,
        invoke: Callable[[], T],
        *,
        dialect: Dialect = PLAIN,
        peer: str | None = None,
        not_replayable: str | None = None,
        arguments: Arguments = NO_ARGUMENTS,
        alone: bool = False,
    ) -> T:
        """Make one logical call in this thread: ``call`` for those who know more of it, as clients do.

        ``invoke`` makes one attempt. ``dialect`` reads its results, ``peer`` names the service called,
        ``not_replayable`` says why it must not be sent twice, ``arguments`` are what policies may decide by,
        ``alone`` forbids two attempts at the same time.
        """
        if not self.enabled:
            return invoke()
        outside = surroundings.take()
        try:
            value: T = unwrap(self._run(invoke, self._begin(dialect, peer, not_replayable, arguments, alone)))
        except KeyboardInterrupt:
            surroundings.restore(outside)  # it may have come before anybody knew how to let go
            raise
        return value

    @staticmethod
    def _run(invoke: Callable[[], Any], execution: Execution) -> Result[Any]:
        try:
            result = sync_driver.drive(execution.flow, invoke, execution.call.clock)
        except BaseException as error:  # a wait of our own was interrupted; all flows have let go
            return execution.finish(Failure(error))
        try:
            return execution.finish(result)
        finally:
            del result  # see ``unwrap``

    async def aexecute(
        self,
        invoke: Callable[[], Awaitable[T] | T],
        *,
        dialect: Dialect = PLAIN,
        peer: str | None = None,
        not_replayable: str | None = None,
        arguments: Arguments = NO_ARGUMENTS,
    ) -> T:
        """``execute`` in this task; ``invoke`` may return an awaitable."""
        if not self.enabled:
            plain: Any = invoke()
            value: T = await plain if inspect.isawaitable(plain) else plain
            return value
        value = unwrap(await self._arun(invoke, self._begin(dialect, peer, not_replayable, arguments)))
        return value

    @staticmethod
    async def _arun(invoke: Callable[[], Any], execution: Execution) -> Result[Any]:
        from otel_resilience.flow import async_driver  # asyncio costs 30 ms, and threads do not need it

        try:
            result = await async_driver.drive(execution.flow, invoke, execution.call.clock)
        except BaseException as error:  # a wait of our own was interrupted; all flows have let go
            return execution.finish(Failure(error))
        try:
            return execution.finish(result)
        finally:
            del result  # see ``unwrap``

    def begin_stream(self, arguments: Arguments) -> Execution:
        """Begin a call that gives items one after the other."""
        return self._begin(PLAIN, None, None, arguments, alone=True)

    def park(self, *, dialect: Dialect = PLAIN, peer: str | None = None) -> ParkedExecution:
        """Begin a call that ends somewhere else (a stream, a future); it is never retried."""
        return ParkedExecution(functools.partial(self._begin, dialect, peer, NOT_IDEMPOTENT))

    def __enter__(self) -> Self:
        """Guard the block in this thread. Raises the rejection; ``TypeError`` where one admission is not enough."""
        if not self.enabled:
            UnguardedBlock(self)
            return self
        outside = surroundings.take()
        try:
            Block(self, outside, self._begin_block(), Cooperative()).enter()
        except KeyboardInterrupt:
            surroundings.restore(outside)  # it may have come before anybody knew how to let go
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        innermost(self).leave(error)

    async def __aenter__(self) -> Self:
        """Guard the block in this task, as ``__enter__`` does; a timeout cancels the task."""
        from otel_resilience.flow import async_driver  # asyncio costs 30 ms, and threads do not need it

        if self.enabled:
            outside = surroundings.take()
            execution = self._begin_block()
            clock = execution.call.clock
            wait = functools.partial(async_driver.wait, timers=async_driver.timers_of(clock))
            await Block(self, outside, execution, async_driver.Cancelling(clock)).enter_async(wait)
        else:
            UnguardedBlock(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        innermost(self).leave(error)

    def _begin_block(self) -> Execution:
        if not self.guards_blocks:
            raise TypeError(
                f"{type(self).__name__} cannot guard a block, only a function that it may call again"
            )
        return self._begin(PLAIN, None, NOT_IDEMPOTENT)

    @property
    def enabled(self) -> bool:
        """Whether this guard does anything at all (mode ``off`` does not)."""
        return self._mode is not Mode.OFF and not switch.is_off()

    def _begin(
        self,
        dialect: Dialect,
        peer: str | None,
        not_replayable: str | None,
        arguments: Arguments = NO_ARGUMENTS,
        alone: bool = False,
    ) -> Execution:
        call = Call(
            self._name or "unnamed",
            mode=self._mode,
            dialect=dialect,
            peer=peer,
            not_replayable=not_replayable,
            arguments=arguments,
            alone=alone,
        )
        return Execution(call, self.flow, traced=self._traced, is_client=dialect is not PLAIN)


def qualified_name(fn: Callable[..., Any]) -> str:
    """The qualified name of a function, of what a partial wraps, of a callable's class."""
    while isinstance(fn, functools.partial):
        fn = fn.func
    return getattr(fn, "__qualname__", None) or type(fn).__qualname__
