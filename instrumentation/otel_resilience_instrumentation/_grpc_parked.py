"""An outgoing RPC that ends somewhere else: a future, a stream that is read later.

Its end is met by whoever comes first: the thread that reads it to its end or asks for its result, gRPC's own thread that calls
back, or the collector of garbage where nobody wants it any more. It is settled once, by one of them.
"""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Callable
from contextvars import copy_context
from typing import Any, Protocol, Self, TypeVar

import grpc
from opentelemetry.trace import Span

from otel_resilience.errors import codes
from otel_resilience.errors.failed_call import FailedCall, remember
from otel_resilience.outcome import Failure, Result, Success
from otel_resilience_instrumentation import _grpc_span
from otel_resilience_instrumentation._grpc_dialect import DIALECT, CallCancelled, was_cancelled_here
from otel_resilience_instrumentation._grpc_metadata import receive

_log = logging.getLogger("otel_resilience")

T = TypeVar("T")


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

    def run(self, function: Callable[[], Any]) -> Any:
        return self._context.run(function)

    def finish(self, result: Result[Any]) -> Result[Any]:
        if isinstance(result, Failure) and isinstance(result.error, grpc.RpcError):
            self._context.run(remember, FailedCall.of(DIALECT.read(result)))
        return result


class Settlement:
    """The end of one parked call. Safe from any thread; a context is entered by one thread at a time, which is what the turn is for."""

    def __init__(self, execution: Any, host: str | None) -> None:
        self._execution: Execution = execution
        self._host = host
        self._lock = threading.Lock()  # guards the four below, for a few lines
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
        final = ending
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


class ParkedCall(grpc.Call, grpc.Future):  # type: ignore[type-arg]  # not generic at run time
    """The call that the user holds: all of the real one, with its end settled."""

    def __init__(self, call: Any, settlement: Settlement) -> None:
        self._call = call
        self._settlement = settlement
        self._listen()

    def _listen(self) -> None:
        # Weakly: gRPC cancels a call that nobody holds any more, and a callback that holds it would prevent that.
        reference, settlement = weakref.ref(self._call), self._settlement

        def ended() -> None:
            call = reference()
            if call is not None:
                settlement.end(_end_of(call))

        add_callback = getattr(self._call, "add_callback", None)
        if callable(add_callback) and not add_callback(ended):
            ended()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "_call" not in vars(self):
            raise AttributeError(name)
        return getattr(self._call, name)

    def __del__(self) -> None:
        if "_settlement" not in vars(self) or self._settlement.is_settled:
            return
        close = getattr(
            self._call, "close", None
        )  # a generator's: what it holds is to be let go in its own context
        try:
            if callable(close):
                self._settlement.run(close)
            self._settlement.end(Failure(CallCancelled()))
        except Exception:
            _log.exception("a stream that was given up was not accounted for")

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        try:
            return self._settlement.run(self._call.__next__)
        except StopIteration:
            self._settlement.end(Success(None))
            raise
        except BaseException as met:
            error = met
        raise self._ended_in(error)

    def result(self, timeout: float | None = None) -> Any:
        try:
            value = self._call.result(timeout)
        except grpc.FutureTimeoutError:
            raise
        except grpc.FutureCancelledError:
            self._settlement.end(Failure(CallCancelled()))
            raise
        except Exception as met:
            error: BaseException = met
        else:
            self._settlement.end(Success(value))
            return value
        raise self._ended_in(error)

    def exception(self, timeout: float | None = None) -> Any:
        error = self._call.exception(timeout)
        return None if error is None else self._ended_in(error)

    def _ended_in(self, error: BaseException) -> BaseException:
        """What the user gets for ``error``: the very object, or ours where our own timeout ended the call."""
        if was_cancelled_here(error):
            self._settlement.end(Failure(CallCancelled(error)))
            return error
        final = self._settlement.end(Failure(error))
        return final.error if isinstance(final, Failure) and isinstance(final.error, Exception) else error

    def add_done_callback(self, fn: Callable[[Any], None]) -> None:
        self._call.add_done_callback(lambda _: fn(self))

    def traceback(self, timeout: float | None = None) -> Any:
        return self._call.traceback(timeout)

    def cancel(self) -> Any:
        return self._call.cancel()

    def cancelled(self) -> bool:
        return bool(self._call.cancelled())

    def running(self) -> bool:
        return bool(self._call.running())

    def done(self) -> bool:
        return bool(self._call.done())

    def is_active(self) -> bool:
        return bool(self._call.is_active())

    def time_remaining(self) -> Any:
        return self._call.time_remaining()

    def add_callback(self, callback: Any) -> Any:
        return self._call.add_callback(callback)

    def initial_metadata(self) -> Any:
        return self._call.initial_metadata()

    def trailing_metadata(self) -> Any:
        return self._call.trailing_metadata()

    def code(self) -> Any:
        return self._call.code()

    def details(self) -> Any:
        return self._call.details()


def _end_of(call: Any) -> Result[Any]:
    status = codes.grpc_status(call)
    if status == grpc.StatusCode.OK.name:
        return Success(None)
    if was_cancelled_here(call):
        return Failure(CallCancelled())
    return Failure(call if isinstance(call, BaseException) else call.exception())
