"""A real ``grpc.aio`` server on loopback whose handlers are the test's own functions; messages are bytes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self

import grpc
import grpc.aio

from tests.instrumentation.grpc.rpc_server import SERVICE

Handler = Callable[[Any, Any], Awaitable[Any]]


class AioRpcServer:
    """The methods of ``RpcServer``, each answered by ``handler``. In use inside ``async with``.

    ``writes``: streams of responses are written by their handlers, else they are generators.
    """

    def __init__(self, handler: Handler, *, writes: bool = False) -> None:
        self.handler = handler
        self.port = 0
        self._writes = writes

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def _get(self, request: bytes, context: Any) -> Any:
        return await self.handler(request, context)

    async def _list(self, request: bytes, context: Any) -> AsyncIterator[Any]:
        yield await self.handler(request, context)

    async def _write_list(self, request: bytes, context: Any) -> None:
        await context.write(await self.handler(request, context))

    async def _sum(self, requests: AsyncIterator[bytes], context: Any) -> Any:
        return await self.handler(b"".join([request async for request in requests]), context)

    async def _chat(self, requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[Any]:
        async for request in requests:
            yield await self.handler(request, context)

    async def _write_chat(self, requests: AsyncIterator[bytes], context: Any) -> None:
        while (request := await context.read()) is not grpc.aio.EOF:
            await context.write(await self.handler(request, context))

    def methods(self) -> dict[str, Any]:
        return {
            "Get": grpc.unary_unary_rpc_method_handler(self._get),
            "List": grpc.unary_stream_rpc_method_handler(self._write_list if self._writes else self._list),
            "Sum": grpc.stream_unary_rpc_method_handler(self._sum),
            "Chat": grpc.stream_stream_rpc_method_handler(self._write_chat if self._writes else self._chat),
        }

    async def __aenter__(self) -> Self:
        self._pool = ThreadPoolExecutor(max_workers=2)
        self._server = grpc.aio.server(self._pool, options=[("grpc.so_reuseport", 0)])
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(SERVICE, self.methods()),)
        )
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        await self._server.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.stop()

    async def stop(self, grace: float | None = None) -> None:
        """End the server, and everything that it is doing after ``grace`` seconds; may be called twice."""
        await self._server.stop(grace)
        await asyncio.to_thread(self._pool.shutdown)  # an abort in one of its threads waits for this loop


class ThreadRpcServer(AioRpcServer):
    """Its handlers are plain functions, which ``grpc.aio`` runs in threads; ``handler`` is one too."""

    def _plain(self, request: Any, context: Any) -> Any:
        return self.handler(request, context)

    def _stream(self, request: Any, context: Any) -> Iterator[Any]:
        yield self.handler(request, context)

    def methods(self) -> dict[str, Any]:
        return {
            "Get": grpc.unary_unary_rpc_method_handler(self._plain),
            "List": grpc.unary_stream_rpc_method_handler(self._stream),
        }
