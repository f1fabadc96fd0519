"""How the results of ``grpc.aio`` calls are read: by their status too, of errors that are no calls."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

import grpc
import grpc.aio

from otel_resilience.errors.dialects.grpc import CallCancelled, EndedHere, GrpcDialect
from otel_resilience.outcome import Failure, Result, Success

T = TypeVar("T")

#: gRPC's own words for what this side did; nothing else tells them from a peer's.
_CANCELLED_HERE = frozenset({"Locally cancelled by application!", "Cancelled upon garbage collection!"})


class LocalAioRpcError(EndedHere, grpc.aio.AioRpcError):
    """An RPC that ended here, before or without an answer."""

    def initial_metadata(self) -> Any:
        return grpc.aio.Metadata()

    def trailing_metadata(self) -> Any:
        return grpc.aio.Metadata()

    # The library writes its errors out of fields that this one does not have.
    __str__ = Exception.__str__
    __repr__ = Exception.__repr__


class GrpcAioDialect(GrpcDialect):
    """Reads RPCs by their status. Holds nothing: one for all calls."""

    local = LocalAioRpcError


DIALECT = GrpcAioDialect()


def end_of(call: Any) -> Result[Any]:
    """How ``call``, which is done, ended. The error is one like that which whoever awaits the call will get."""
    try:
        status = _now(call.code())
        if status is grpc.StatusCode.OK:
            return Success(None)
        details = _now(call.details())
        if status is grpc.StatusCode.CANCELLED and details in _CANCELLED_HERE:
            return Failure(CallCancelled())
        return Failure(
            grpc.aio.AioRpcError(
                status,
                _now(call.initial_metadata()),
                _now(call.trailing_metadata()),
                details,
                _now(call.debug_error_string()),
            )
        )
    except Exception as error:  # an interceptor's own
        return Failure(error)


def _now(asking: Coroutine[Any, Any, T]) -> T:
    """What a coroutine says that has nothing to wait for: of a call that is done everything is known."""
    try:
        asking.send(None)
    except StopIteration as said:
        value: T = said.value
        return value
    asking.close()
    raise RuntimeError("a call that is done does not know how it ended")
