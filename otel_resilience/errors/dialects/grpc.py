"""How the results of gRPC calls are read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Self

import grpc

from otel_resilience.errors import codes
from otel_resilience.errors.adopt import is_timed_out
from otel_resilience.errors.codecs.carriers import get_field
from otel_resilience.errors.dialects.own_errors import as_both
from otel_resilience.errors.reading import Reading, read_error
from otel_resilience.exceptions import (
    DeadlineExceededError,
    RateLimitedError,
    RejectedError,
    ResilienceError,
    ServiceTimeoutError,
)
from otel_resilience.outcome import Failure, Result, Success, Verdict, unwrap

#: When to come again, in milliseconds, as servers say it in trailing metadata (gRFC A6).
PUSHBACK = "grpc-retry-pushback-ms"
_LONGEST_PUSHBACK = 15  # digits

_ANSWERED = Reading(failed=False, verdict=Verdict.SUCCESS)

#: gRPC's own words for what this side did; nothing else tells them from a peer's.
_OWN_MISTAKES = frozenset({"Exception serializing request!", "Invalid metadata"})
_CHANNEL_CLOSED = "Channel closed!"  # a stream that was begun says "Stream removed (Channel closed!)"


class CallCancelled(BaseException):
    """This side's own cancel, to policies what the cancellation of a task is; ``error`` is what the user gets."""

    def __init__(self, error: BaseException | None = None) -> None:
        super().__init__()
        self.error = error


class EndedHere:
    """What an RPC says of itself that ended here, before or without an answer."""

    status = grpc.StatusCode.UNAVAILABLE

    def code(self) -> grpc.StatusCode:
        return self.status

    def details(self) -> str:
        return str(self)

    def debug_error_string(self) -> str:
        return ""


class LocalRpcError(EndedHere, grpc.RpcError, grpc.Call, grpc.Future):  # type: ignore[type-arg]  # not generic at run time
    """Raised by calls that ended here, and what futures and streams of them are."""

    def initial_metadata(self) -> Any:
        return ()

    def trailing_metadata(self) -> Any:
        return ()

    def is_active(self) -> bool:
        return False

    def time_remaining(self) -> Any:
        return None

    def add_callback(self, callback: Any) -> Any:
        return False

    def cancel(self) -> bool:
        return False

    def cancelled(self) -> bool:
        return False

    def running(self) -> bool:
        return False

    def done(self) -> bool:
        return True

    def result(self, timeout: float | None = None) -> Any:
        raise self

    def exception(self, timeout: float | None = None) -> Exception:
        return self

    def traceback(self, timeout: float | None = None) -> Any:
        return self.__traceback__

    def add_done_callback(self, fn: Any) -> None:
        fn(self)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        raise self


class GrpcDialect:
    """Reads RPCs by their status. Holds nothing: one for all calls."""

    #: What our errors are to the users of the library.
    local: type[grpc.RpcError] = LocalRpcError

    def read(self, result: Result[Any]) -> Reading:
        if isinstance(result, Success):
            return _ANSWERED
        error = result.error
        if isinstance(error, ResilienceError):
            return read_error(result)
        status = codes.grpc_status(error)
        if is_timed_out(error):
            return read_error(result, error_type=status)
        if status is None or _is_own_mistake(error):
            # A closed channel, metadata or a message that cannot be sent: it says nothing of the dependency.
            return read_error(result, verdict=Verdict.IGNORED if isinstance(error, Exception) else None)
        verdict = Verdict.FAILURE if status in codes.GRPC_FAILURES else Verdict.SUCCESS
        reading = read_error(result, verdict=verdict, error_type=status, remote=True)
        return reading if reading.retry_after is not None else replace(reading, retry_after=_pushback(error))

    def is_timeout(self, error: BaseException) -> bool:
        return codes.grpc_status(error) == grpc.StatusCode.DEADLINE_EXCEEDED.name

    def own(self, error: ResilienceError) -> BaseException:
        if isinstance(error, ServiceTimeoutError | DeadlineExceededError):
            status = grpc.StatusCode.DEADLINE_EXCEEDED
        elif isinstance(error, RateLimitedError):
            status = grpc.StatusCode.RESOURCE_EXHAUSTED
        elif isinstance(error, RejectedError):
            status = grpc.StatusCode.UNAVAILABLE
        else:
            return error
        return as_both(error, self.local, status=status)


DIALECT = GrpcDialect()


def was_cancelled_here(call: Any) -> bool:
    """Whether this side ended ``call``: by its cancel, or by closing the channel."""
    if codes.grpc_status(call) != grpc.StatusCode.CANCELLED.name:
        return False
    cancelled = getattr(call, "cancelled", None)
    return bool(callable(cancelled) and cancelled()) or _CHANNEL_CLOSED in (call.details() or "")


def end_of(call: Any) -> Result[Any]:
    """How ``call``, a future or stream that is done, ended."""
    if codes.grpc_status(call) == grpc.StatusCode.OK.name:
        return Success(None)
    if was_cancelled_here(call):
        return Failure(CallCancelled())
    return Failure(call if isinstance(call, BaseException) else call.exception())


def refused_call(refused: Result[Any]) -> Any:
    """The future or stream of a call that was ``refused``: one that has failed. Raises what is no RPC's error."""
    if isinstance(refused, Failure) and isinstance(refused.error, LocalRpcError):
        return refused.error
    return unwrap(refused)


def _pushback(error: BaseException) -> float | None:
    """The server's hint in seconds; ``None`` for none or nonsense. Never raises."""
    try:
        trailing: Iterable[Any] = error.trailing_metadata() or ()  # type: ignore[attr-defined]  # where it is a call's
    except Exception:  # somebody else's error
        return None
    text = get_field(trailing, PUSHBACK)
    if text is None or not (text.isascii() and text.isdigit() and len(text) <= _LONGEST_PUSHBACK):
        return None
    return int(text) / 1000


def _is_own_mistake(error: BaseException) -> bool:
    if codes.grpc_status(error) != grpc.StatusCode.INTERNAL.name or not isinstance(error, grpc.Call):
        return False
    return error.details() in _OWN_MISTAKES and not error.debug_error_string()  # type: ignore[attr-defined]  # all of gRPC's have it
