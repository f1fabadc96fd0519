"""An outgoing RPC that ends somewhere else: a future, a stream that is read later.

Its end is met by whoever comes first: the thread that reads it to its end or asks for its result, gRPC's own
thread that calls back, or the collector of garbage where nobody wants it any more.
"""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable
from typing import Any, Self

import grpc

from otel_resilience.errors.dialects.grpc import CallCancelled, end_of, was_cancelled_here
from otel_resilience.outcome import Failure, Success
from otel_resilience_instrumentation._grpc_settlement import Settlement, give_up

_log = logging.getLogger("otel_resilience")


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
            settlement.end(Failure(CallCancelled()) if call is None else end_of(call))

        add_callback = getattr(self._call, "add_callback", None)
        if callable(add_callback) and not add_callback(ended):
            ended()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "_call" not in vars(self):
            raise AttributeError(name)
        return getattr(self._call, name)

    def __del__(self) -> None:
        # A generator that was given up, as the official interceptor makes of a stream, tells nobody. This may
        # run anywhere, also while this thread holds a lock of ours or of the SDK: it is only noted, and settled
        # with the next call.
        close = getattr(vars(self).get("_call"), "close", None)
        if not callable(close) or self._settlement.is_settled:
            return
        try:
            self._settlement.run(close)
        except Exception:
            _log.debug("a stream that was given up could not be closed", exc_info=True)
        give_up(self._settlement)

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
