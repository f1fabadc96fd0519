"""Timeouts by operation: one place that says how long each of them may take."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType, TracebackType
from typing import Any, Self, TypeVar, overload

from otel_resilience.exceptions import ConfigurationError
from otel_resilience.flow.workers import WorkerPool
from otel_resilience.forking import ProcessLock
from otel_resilience.policies import checks
from otel_resilience.policies.shown import told
from otel_resilience.policies.timeout.policy import Timeout

T = TypeVar("T")

_HANDLER = "TimeoutHandler"


class TimeoutHandler:
    """Calls operations of services under the timeout that each of them has, in seconds.

    ``operations`` names them as ``"service.operation"``; ``default`` is for the others. Every call shares the
    deadline of what is around it, and hands it on to what is inside. Ends in ``ServiceTimeoutError``. Sync
    calls run in worker threads, at most ``max_threads`` for each service, so that a service that hangs keeps
    no thread from the others; where all are in use, ``BulkheadFullError``. Raises ``ConfigurationError`` for
    a wrong option, and at a call for which there is no timeout at all. Safe for threads and tasks.
    """

    def __init__(
        self,
        *,
        default: float | None = None,
        operations: Mapping[str, float] | None = None,
        max_threads: int = 16,
    ) -> None:
        self._default = None if default is None else checks.positive_seconds(_HANDLER, "default", default)
        if operations is not None and not isinstance(operations, Mapping):
            raise checks.fault(_HANDLER, "operations", operations, "seconds by 'service.operation'")
        given = dict(operations or {})
        for name, seconds in given.items():
            if not isinstance(name, str) or not all(name.partition(".")):
                raise checks.fault(_HANDLER, "operations", name, "named 'service.operation'")
            checks.positive_seconds(_HANDLER, f"operations[{told(name)}]", seconds)
        self._operations = MappingProxyType(given)
        self._most = checks.at_least(_HANDLER, "max_threads", max_threads, 1)
        self._lock = ProcessLock()  # guards the pools; no call is made under it
        self._pools: dict[str, WorkerPool] = {}
        self._closed = False

    def timeout_of(self, service: str, operation: str) -> float | None:
        """Seconds that ``operation`` of ``service`` may take; ``None`` where nothing was said."""
        return self._operations.get(f"{service}.{operation}", self._default)

    def call_with_timeout(
        self, service: str, operation: str, fn: Callable[[], T], timeout: float | None = None
    ) -> T:
        """Call ``fn`` in a worker thread, with a copy of this context; be back in time, whatever ``fn`` does.

        ``timeout`` goes before what the handler was told. Raises what ``fn`` raises, as the same object.
        """
        seconds = self._seconds(service, operation, timeout)
        guard = Timeout.in_pool(seconds, self._pool(service))
        guard.bind(f"{service}.{operation}")
        return guard.call(fn)

    @overload
    async def acall_with_timeout(
        self, service: str, operation: str, fn: Callable[[], Awaitable[T]], timeout: float | None = None
    ) -> T: ...
    @overload
    async def acall_with_timeout(
        self, service: str, operation: str, fn: Callable[[], T], timeout: float | None = None
    ) -> T: ...
    async def acall_with_timeout(
        self, service: str, operation: str, fn: Callable[[], Any], timeout: float | None = None
    ) -> Any:
        """Await ``fn`` in this task, which is cancelled when the time is over."""
        self._require_open()
        guard = Timeout(self._seconds(service, operation, timeout))
        guard.bind(f"{service}.{operation}")
        return await guard.acall(fn)

    def close(self) -> None:
        """End the threads; calls that are made later are refused with ``RuntimeError``."""
        with self._lock:
            self._closed = True
            pools = list(self._pools.values())
        for pool in pools:
            pool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.close()

    def _seconds(self, service: str, operation: str, timeout: float | None) -> float:
        for field, value in (("service", service), ("operation", operation)):
            if not isinstance(value, str) or not value:
                raise checks.fault(_HANDLER, field, value, "a text that is not empty")
        if timeout is not None:
            return checks.positive_seconds(_HANDLER, "timeout", timeout)
        seconds = self.timeout_of(service, operation)
        if seconds is None:
            raise ConfigurationError(
                f"{_HANDLER} has no timeout for {service}.{operation}: name it in operations, or give a default or timeout="
            )
        return seconds

    def _require_open(self) -> None:
        if self._closed:
            raise RuntimeError("the TimeoutHandler is closed")

    def _pool(self, service: str) -> WorkerPool:
        with self._lock:
            self._require_open()
            pool = self._pools.get(service)
            if pool is None:
                pool = self._pools[service] = WorkerPool(f"{service} timeout", self._most)
            return pool
