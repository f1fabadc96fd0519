"""A guarded async generator: run by a task of its own, item by item as the consumer asks.

In a task of its own a timeout can cancel it without touching the consumer, and what policies set (deadline,
attempt, span) is seen inside alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from otel_resilience.flow.async_driver import drive
from otel_resilience.flow.call import Arguments
from otel_resilience.flow.execution import Execution
from otel_resilience.outcome import Failure, Result, Success, unwrap

if TYPE_CHECKING:
    from otel_resilience.flow.guard import Guard

_ENDED = object()


class _Request(NamedTuple):
    """What the consumer wants: another item for ``sent``, or ``thrown`` to be thrown in."""

    sent: Any = None
    thrown: BaseException | None = None


def wrapper(guard: Guard, fn: Callable[..., AsyncIterable[Any]]) -> Callable[..., AsyncIterator[Any]]:
    """An async generator function that does what ``fn`` does, guarded.

    What it gives is to be closed like any async generator.
    """

    async def guarded(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        start = partial(fn, *args, **kwargs)
        stream: _Guarded | _Plain = (
            _Guarded(partial(guard.begin_stream, Arguments(args, kwargs, fn)), start)
            if guard.enabled
            else _Plain(start)
        )
        request = _Request()
        try:
            while True:
                item = await stream.next(request)
                try:
                    request = _Request((yield item))
                except GeneratorExit as leaving:
                    await stream.leave(leaving)
                    raise
                except BaseException as thrown:
                    request = _Request(thrown=thrown)
        except StopAsyncIteration:
            pass
        finally:
            del request  # it may hold what was thrown: see ``unwrap``
            await stream.end()
        replacement = stream.replacement
        if isinstance(replacement, AsyncIterable):
            async for item in replacement:
                yield item
        else:
            for item in replacement:
                yield item

    return guarded


class _Plain:
    """A stream that nobody guards."""

    replacement: Any = ()

    def __init__(self, start: Callable[[], AsyncIterable[Any]]) -> None:
        self._items = aiter(start())

    async def next(self, request: _Request) -> Any:
        return await _step(self._items, request)

    async def leave(self, leaving: GeneratorExit) -> None:
        """The consumer wants no more."""

    async def end(self) -> None:
        await _close(self._items)


class _Guarded:
    """Between the task that makes items and the consumer: one item at a time, made when it is asked for.

    ``replacement``: what a fallback or a fault puts in the place of the stream.
    """

    replacement: Any = ()

    def __init__(self, begin: Callable[[], Execution], start: Callable[[], AsyncIterable[Any]]) -> None:
        self._begin = begin
        self._start = start
        self._item = _future()
        self._request = _future()
        self._running: asyncio.Future[None] | None = None
        self._ended: Result[Any] | None = None

    async def next(self, request: _Request) -> Any:
        """The next item; raises how the call ended, ``StopAsyncIteration`` where all went well."""
        if self._running is None:
            self._running = asyncio.ensure_future(self.run())
        elif not self._request.done():
            self._request.set_result(request)
        del request
        await asyncio.wait((self._item, self._running), return_when=asyncio.FIRST_COMPLETED)
        if not self._running.done():
            item, self._item = self._item.result(), _future()
            return item
        result, self._ended = self._ended, None
        try:
            if isinstance(result, Success) and result.value is not _ENDED:
                self.replacement = result.value
            elif isinstance(result, Failure):
                unwrap(result)
        finally:
            del result
        raise StopAsyncIteration

    async def leave(self, leaving: GeneratorExit) -> None:
        """The consumer wants no more: the stream is told as any async generator is."""
        if self._running is not None and not self._request.done():
            self._request.set_result(_Request(thrown=leaving))
            await asyncio.wait((self._running,))

    async def end(self) -> None:
        """Where the consumer was cancelled while it waited, the stream ends before the consumer goes on."""
        if self._running is not None and not self._running.done():
            self._running.cancel()
            await asyncio.wait((self._running,))

    async def run(self) -> None:
        """One guarded call, which ends with the stream."""
        execution = self._begin()

        async def deliver() -> object:
            items = aiter(self._start())
            try:
                item = await anext(items)
                execution.call.first_item_delivered()
                while True:
                    item = await _step(items, await self._hand_out(item))
            except StopAsyncIteration:
                return _ENDED
            finally:
                await _close(items)

        try:
            result = await drive(execution.flow, deliver, execution.call.clock)
        except BaseException as error:  # an interrupted wait of our own; all flows have let go
            result = Failure(error)
        self._ended = execution.finish(result)
        del result

    async def _hand_out(self, item: Any) -> _Request:
        self._item.set_result(item)
        request: _Request = await self._request
        self._request = _future()
        return request


def _future() -> asyncio.Future[Any]:
    return asyncio.get_running_loop().create_future()


async def _close(items: Any) -> None:
    close = getattr(items, "aclose", None)
    if close is not None:
        await close()


async def _step(items: Any, request: _Request) -> Any:
    sent, thrown = request
    try:
        if thrown is None:
            return await (anext(items) if sent is None else items.asend(sent))
        throw = getattr(items, "athrow", None)
        if throw is None:
            raise thrown
        return await throw(thrown)
    finally:
        del request, thrown
