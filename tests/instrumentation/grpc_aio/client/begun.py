"""A handler of the server that waits, and says when it has begun and when it was left."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import grpc

from tests.instrumentation.grpc.rpc_server import RpcServer


class Begun:
    """A handler that says when it has begun, and waits for the server's end, or the caller's."""

    def __init__(self, server: RpcServer, *first: bytes) -> None:
        self._server = server
        self._first = first
        self._begun = threading.Event()
        self.left = threading.Event()

    def __call__(self, message: Any, context: grpc.ServicerContext) -> Iterator[bytes]:
        context.add_callback(self.left.set)
        yield from self._first
        self._begun.set()
        self._server.stopping.wait(10)
        yield b"late"

    def unary(self, message: Any, context: grpc.ServicerContext) -> bytes:
        return list(self(message, context))[-1]

    async def begun(self) -> None:
        assert await asyncio.to_thread(self._begun.wait, 5)

    async def was_left(self) -> None:
        assert await asyncio.to_thread(self.left.wait, 5)
