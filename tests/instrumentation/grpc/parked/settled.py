"""Waits for the end of calls that end in another thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import grpc

from otel_resilience.events import ExecutionFinished
from otel_resilience.outcome import Outcome
from otel_resilience.testing import Recorder
from tests.instrumentation.grpc.rpc_server import RpcServer

POLICIES = """
services:
  ledger:
    match: ["grpc:shop.v1.Ledger"]
    timeout: {timeout}
    retry: {{max_attempts: 3}}
    circuit_breaker: {{failure_threshold: 2, recovery_timeout: 60s}}
    operations: {{Get: {{idempotent: true}}, List: {{idempotent: true}}, Sum: {{idempotent: true}}, Chat: {{idempotent: true}}}}
"""


class Settled(Recorder):
    """Knows when a call was settled, whichever thread it was."""

    def __init__(self) -> None:
        super().__init__()
        self.count = threading.Semaphore(0)

    def __call__(self, event: Any) -> None:
        super().__call__(event)
        if isinstance(event, ExecutionFinished):
            self.count.release()

    def outcomes(self, number: int = 1) -> list[Outcome]:
        for _ in range(number):
            assert self.count.acquire(timeout=5)
        return [event.outcome for event in self.of(ExecutionFinished)]


def waiting(server: RpcServer) -> Callable[[Any, grpc.ServicerContext], Any]:
    def handler(message: Any, context: grpc.ServicerContext) -> list[bytes]:
        server.stopping.wait(10)
        return [b"late"]

    return handler
