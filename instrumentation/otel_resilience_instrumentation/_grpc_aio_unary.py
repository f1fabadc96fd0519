"""A guarded call of ``grpc.aio`` with one request and one answer: what its user holds while attempts are made."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from typing import Any

import grpc
import grpc.aio

from otel_resilience.outcome import Failure, Result, Success, unwrap
from otel_resilience_instrumentation._grpc_aio_call import AioRpc

_CANCELLED: dict[str, Any] = {
    "code": grpc.StatusCode.CANCELLED,
    "details": "Locally cancelled by application!",
    "debug_error_string": "",
}


class GuardedCall(grpc.aio.UnaryUnaryCall):  # type: ignore[type-arg]  # not generic at run time
    """Made in a task of its own, with the context of whoever began it, whether it is awaited or not.

    ``base``: the library's own method. It knows the event loop, and the channel, by which a channel that is
    closed finds its calls among all tasks.
    """

    def __init__(self, rpc: AioRpc, base: Any) -> None:
        self._rpc = rpc
        self._channel = getattr(base, "_channel", None)
        loop = getattr(base, "_loop", None) or asyncio.get_running_loop()
        self._task: asyncio.Task[Result[Any]] = loop.create_task(self._made())

    async def _made(self) -> Result[Any]:
        # A result, as of a task's error that nobody asks for the loop would complain.
        try:
            return Success(await self._rpc.make())
        except Exception as error:
            return Failure(error)

    def __await__(self) -> Generator[Any, None, Any]:
        result = yield from self._task.__await__()
        return unwrap(result)

    async def wait_for_connection(self) -> None:
        unwrap(await self._ended())

    async def code(self) -> Any:
        return await self._asked("code")

    async def details(self) -> Any:
        return await self._asked("details")

    async def debug_error_string(self) -> Any:
        return await self._asked("debug_error_string")

    async def initial_metadata(self) -> Any:
        return await self._asked("initial_metadata")

    async def trailing_metadata(self) -> Any:
        return await self._asked("trailing_metadata")

    def time_remaining(self) -> float | None:
        """What the attempt under way has left."""
        left: float | None = None if self._rpc.attempt is None else self._rpc.attempt.time_remaining()
        return left

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        self._task.add_done_callback(lambda _: callback(self))

    def cancel(self) -> bool:
        return self._task.cancel()

    def cancelled(self) -> bool:
        if not self._task.done() or self._task.cancelled():
            return self._task.cancelled()
        result = self._task.result()
        code = getattr(result.error, "code", None) if isinstance(result, Failure) else None
        return callable(code) and code() is grpc.StatusCode.CANCELLED

    def done(self) -> bool:
        return self._task.done()

    async def _ended(self) -> Result[Any]:
        await asyncio.wait({self._task})  # who gives up asking does not cancel the call
        return self._task.result()

    async def _asked(self, name: str) -> Any:
        try:
            result = await self._ended()
        except asyncio.CancelledError:
            if not self._task.cancelled():
                raise
            return _CANCELLED.get(name)
        if isinstance(result, Success):
            return await getattr(self._rpc.answered, name)()
        told = getattr(result.error, name, None)
        if not callable(told):
            raise result.error
        return told()
