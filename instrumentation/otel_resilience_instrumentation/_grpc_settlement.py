"""The end of an RPC that ends somewhere else, met by whoever comes first and settled once."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, Protocol, TypeVar

import grpc
from opentelemetry.trace import Span

from otel_resilience import clock
from otel_resilience.errors.dialects.grpc import DIALECT, CallCancelled
from otel_resilience.errors.failed_call import remember_end
from otel_resilience.outcome import Failure, Result
from otel_resilience_instrumentation import _grpc_span
from otel_resilience_instrumentation._grpc_metadata import receive

_log = logging.getLogger("otel_resilience")

T = TypeVar("T")

_given_up: SimpleQueue[Settlement] = SimpleQueue()


def give_up(settlement: Settlement) -> None:
    """Note a call that nobody holds any more. Done by the collector of garbage, maybe while this thread holds a lock."""
    _given_up.put(settlement)


def settle_given_up() -> None:
    """Settle the calls that were let go before their end."""
    while not _given_up.empty():
        try:
            _given_up.get_nowait().end(Failure(CallCancelled()))
        except Empty:  # another thread was faster
            return


class Execution(Protocol):
    """A call that is parked: see ``ParkedExecution``."""

    @property
    def refused(self) -> Result[Any] | None: ...
    def run(self, function: Callable[[], Any]) -> Any: ...
    def finish(self, result: Result[Any]) -> Result[Any]: ...


class Unguarded:
    """A call without policies, parked: its failure is remembered by the request in hand, and no more."""

    refused: Result[Any] | None = None

    def __init__(self) -> None:
        self._context = copy_context()
        self._began = clock.current().monotonic()

    def run(self, function: Callable[[], Any]) -> Any:
        return self._context.run(function)

    def finish(self, result: Result[Any]) -> Result[Any]:
        if isinstance(result, Failure) and isinstance(result.error, grpc.RpcError):
            self._context.run(partial(remember_end, DIALECT.read(result), began=self._began))
        return result


class Settlement:
    """The end of one parked call.

    Safe from any thread; a context is entered by one thread at a time, which is what the turn is for.
    """

    def __init__(self, execution: Any, host: str | None) -> None:
        self._execution: Execution = execution
        self._host = host
        # Guards the four below, for a few lines; the collector of garbage may come by in the middle of them.
        self._lock = threading.RLock()
        self._taken = False
        self._settling: int | None = None
        self._ending: Result[Any] | None = None
        self._final: Result[Any] | None = None
        self._settled = threading.Event()
        self.span: Span | None = None

    @property
    def is_settled(self) -> bool:
        return self._final is not None

    def run(self, function: Callable[[], T]) -> T:
        """Call ``function`` in the call's context; in the caller's own where another thread is in that one."""
        with self._lock:
            mine, self._taken = not self._taken, True
        if not mine:
            return function()
        try:
            result: T = self._execution.run(function)
            return result
        finally:
            self._give_turn_back()

    def end(self, result: Result[Any]) -> Result[Any]:
        """Hand in how the call ended; the first one counts. Answers with what the call came to."""
        with self._lock:
            if self._final is not None:
                return self._final
            if self._ending is None:
                self._ending = result
            mine, self._taken = not self._taken, True
            if mine:
                self._settling = threading.get_ident()
            elsewhere = self._settling is not None and self._settling != threading.get_ident()
        if mine:
            self._give_turn_back()
        elif elsewhere:
            self._settled.wait()
        return self._final or result

    def _give_turn_back(self) -> None:
        with self._lock:
            ending = self._ending if self._final is None else None
            if ending is None:
                self._taken = False
                return
            self._settling = threading.get_ident()
        final = ending  # where ours breaks, what was handed in
        try:
            final = self._settle(ending)
        except Exception:
            _log.exception("the end of an RPC was not accounted for")
        with self._lock:
            self._final = final
            self._taken, self._settling = False, None
        self._settled.set()

    def _settle(self, result: Result[Any]) -> Result[Any]:
        error = result.error if isinstance(result, Failure) else None
        if error is not None:
            receive(error, self._host)
        if self.span is not None:
            _grpc_span.end(self.span, error)
        return self._execution.finish(result)
