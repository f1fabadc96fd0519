"""A service of the ring over gRPC, of tasks."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

import grpc
import way
from far_end import arrive


async def hand_on(message: bytes, context: Any) -> bytes:
    hops, kind = message.decode().split()
    if int(hops) == 0:
        return arrive(kind).encode()
    if os.environ["RING_STYLE"] == "raises":
        return (await way.go_on_async(int(hops) - 1, kind)).encode()
    try:
        return (await way.go_on_async(int(hops) - 1, kind)).encode()
    except way.FAILURES as error:
        await context.abort(grpc.StatusCode.UNAVAILABLE, f"the next service failed: {type(error).__name__}")
        raise


async def main() -> None:
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    handler: Any = grpc.unary_unary_rpc_method_handler(hand_on)
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("ring.v1.Ring", {"Pass": handler}),)
    )
    server.add_insecure_port(f"127.0.0.1:{os.environ['RING_PORT']}")
    await server.start()
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    await ended.wait()
    await server.stop(grace=1)


if __name__ == "__main__":
    asyncio.run(main())
