"""A service of the ring over gRPC, of threads."""

from __future__ import annotations

import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor

import grpc
import way
from far_end import arrive


def hand_on(message: bytes, context: grpc.ServicerContext) -> bytes:
    hops, kind = message.decode().split()
    if int(hops) == 0:
        return arrive(kind).encode()
    if os.environ["RING_STYLE"] == "raises":
        return way.go_on(int(hops) - 1, kind).encode()
    try:
        return way.go_on(int(hops) - 1, kind).encode()
    except way.FAILURES as error:
        context.abort(grpc.StatusCode.UNAVAILABLE, f"the next service failed: {type(error).__name__}")
        raise


def main() -> None:
    server = grpc.server(ThreadPoolExecutor(max_workers=8), options=[("grpc.so_reuseport", 0)])
    handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(hand_on)
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("ring.v1.Ring", {"Pass": handler}),)
    )
    server.add_insecure_port(f"127.0.0.1:{os.environ['RING_PORT']}")
    way.start_loop()
    server.start()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        server.wait_for_termination()
    finally:
        server.stop(grace=1).wait()


if __name__ == "__main__":
    main()
