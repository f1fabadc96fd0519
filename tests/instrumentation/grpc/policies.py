"""Policies and handlers that several tests use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc

from tests.instrumentation.grpc.rpc_server import RpcServer

CHAIN = '"ledger";c=DB_UNAVAILABLE;t="4bf92f3577b34da6a3ce929d0e0e4736";s="00f067aa0ba902b7";r'


FINAL_CHAIN = CHAIN.removesuffix(";r")


THREE_ATTEMPTS = """
services:
  ledger:
    match: ["grpc:shop.v1.Ledger"]
    retry: {max_attempts: 3, backoff: {initial: 1ms, jitter: none}, budget: {min_per_second: 1000}}
    operations: {Get: {idempotent: true}}
"""


BREAKER = """
services:
  ledger:
    match: ["{target}"]
    circuit_breaker: {{failure_threshold: 2, recovery_timeout: 60s}}
"""


def failing(times: int, then: bytes = b"ok") -> Callable[[Any, grpc.ServicerContext], bytes]:
    left = iter([grpc.StatusCode.UNAVAILABLE] * times)

    def handler(message: Any, context: grpc.ServicerContext) -> bytes:
        code = next(left, None)
        if code is not None:
            context.abort(code, "not yet")
        return then

    return handler


def waiting(server: RpcServer) -> Callable[[Any, grpc.ServicerContext], bytes]:
    def handler(message: Any, context: grpc.ServicerContext) -> bytes:
        server.stopping.wait(10)
        return b"late"

    return handler
