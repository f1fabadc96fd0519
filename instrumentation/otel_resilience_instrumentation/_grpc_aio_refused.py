"""A ``grpc.aio`` call that was refused before it was made: one that has failed, whichever kind it is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator
from typing import Any

import grpc
import grpc.aio

from otel_resilience.errors.dialects.grpc_aio import LocalAioRpcError
from otel_resilience.outcome import Failure, Result, unwrap


class RefusedCall(
    grpc.aio.UnaryStreamCall,  # type: ignore[type-arg]  # not generic at run time
    grpc.aio.StreamUnaryCall,  # type: ignore[type-arg]  # likewise
    grpc.aio.StreamStreamCall,  # type: ignore[type-arg]  # likewise
):
    """Raises ``error`` wherever it is awaited, read or written."""

    def __init__(self, error: LocalAioRpcError) -> None:
        self._error = error

    def __await__(self) -> Generator[Any, None, Any]:
        raise self._error
        yield

    async def __aiter__(self) -> AsyncIterator[Any]:
        raise self._error
        yield

    async def read(self) -> Any:
        raise self._error

    async def write(self, request: Any) -> None:
        raise self._error

    async def done_writing(self) -> None:
        """Nothing is written to it."""

    async def wait_for_connection(self) -> None:
        raise self._error

    async def code(self) -> grpc.StatusCode:
        return self._error.code()

    async def details(self) -> str:
        return self._error.details()

    async def debug_error_string(self) -> str:
        return self._error.debug_error_string()

    async def initial_metadata(self) -> Any:
        return self._error.initial_metadata()

    async def trailing_metadata(self) -> Any:
        return self._error.trailing_metadata()

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        callback(self)

    def time_remaining(self) -> float | None:
        return None

    def cancel(self) -> bool:
        return False

    def cancelled(self) -> bool:
        return False

    def done(self) -> bool:
        return True


def refused_call(refused: Result[Any]) -> Any:
    """The call that was ``refused``. Raises what is no RPC's error."""
    if isinstance(refused, Failure) and isinstance(refused.error, LocalAioRpcError):
        return RefusedCall(refused.error)
    return unwrap(refused)
