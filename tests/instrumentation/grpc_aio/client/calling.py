"""A ``grpc.aio`` client of ``RpcServer``, a peer that knows nothing of us."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import Any, Self

import grpc.aio

from otel_resilience.context import request
from otel_resilience.context.request import Request
from otel_resilience.errors.failed_call import FailedCall
from otel_resilience.events import Event, ExecutionFinished
from otel_resilience.outcome import Outcome
from otel_resilience.testing import Recorder
from tests.instrumentation.grpc.rpc_server import SERVICE

GET = f"{SERVICE}/Get"


class AioClient:
    """A channel to ``target``, made as an application does, and the four methods of the server."""

    def __init__(self, target: str, **options: Any) -> None:
        self.channel = grpc.aio.insecure_channel(target, **options)
        self.get = self.channel.unary_unary(f"/{SERVICE}/Get")
        self.list = self.channel.unary_stream(f"/{SERVICE}/List")
        self.sum = self.channel.stream_unary(f"/{SERVICE}/Sum")
        self.chat = self.channel.stream_stream(f"/{SERVICE}/Chat")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.channel.close()


async def given(*requests: bytes) -> AsyncIterator[bytes]:
    for each in requests:
        yield each


Read = Callable[[AioClient], Awaitable[bytes]]


async def read_unary(client: AioClient) -> bytes:
    return await client.get(b"x")


async def read_client_stream(client: AioClient) -> bytes:
    return await client.sum(given(b"a", b"b"))


async def write_client_stream(client: AioClient) -> bytes:
    call = client.sum()
    await call.write(b"a")
    await call.write(b"b")
    await call.done_writing()
    return await call


async def read_server_stream(client: AioClient) -> bytes:
    return b"".join([each async for each in client.list(b"x")])


async def read_server_stream_one_by_one(client: AioClient) -> bytes:
    call, all_of_it = client.list(b"x"), b""
    while (response := await call.read()) is not grpc.aio.EOF:
        all_of_it += response
    return all_of_it


async def read_both(client: AioClient) -> bytes:
    return b"".join([each async for each in client.chat(given(b"a"))])


async def write_and_read_both(client: AioClient) -> bytes:
    call, all_of_it = client.chat(), b""
    await call.write(b"a")
    await call.done_writing()
    while (response := await call.read()) is not grpc.aio.EOF:
        all_of_it += response
    return all_of_it


#: Every kind but the one that is tried again, in every way to read it. Without `write_client_stream`: the official
#: interceptor waits for the answer of a call whose requests wait for the interceptor.
PARKED: list[Read] = [
    read_client_stream,
    read_server_stream,
    read_server_stream_one_by_one,
    read_both,
    write_and_read_both,
]

STREAMS = (read_server_stream, read_server_stream_one_by_one, read_both, write_and_read_both)


class Remembered:
    """A request in hand, and what it remembers of the calls that failed."""

    def __init__(self) -> None:
        self._current = Request()

    @property
    def failure(self) -> FailedCall | None:
        return self._current.failures[-1] if self._current.failures else None

    def __enter__(self) -> Self:
        self._token = request.enter(self._current)
        return self

    def __exit__(self, *ending: object) -> None:
        request.leave(self._token)


class Settled(Recorder):
    """Knows when calls were settled. For one event loop, that which is running when it is made."""

    def __init__(self) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()

    def __call__(self, event: Event) -> None:
        super().__call__(event)
        self._loop.call_soon_threadsafe(self._news.set)

    async def outcomes(self, number: int = 1) -> list[Outcome]:
        """The outcomes of calls, when there are as many."""
        while len(self.of(ExecutionFinished)) < number:
            self._news.clear()
            await asyncio.wait_for(self._news.wait(), 5)
        return [event.outcome for event in self.of(ExecutionFinished)]
