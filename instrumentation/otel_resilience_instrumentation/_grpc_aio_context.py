"""Handlers' contexts on a server of ``grpc.aio``: an abort sends its status there and then, so it is told before."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import grpc
import grpc.aio

from otel_resilience_instrumentation._grpc_context import WatchedContext, Watching

_log = logging.getLogger("otel_resilience")

_STATUSES = {status.value[0]: status for status in grpc.StatusCode}


class _SendingAtOnce(Watching):
    def set_code(self, code: Any) -> None:
        self.status = _status(code)
        self._context.set_code(code)

    def was_left_by_its_caller(self, error: Exception) -> bool:
        """Whether ``error`` is gRPC's own word for an RPC that has no answer any more: its caller has gone, or the server stops."""
        return isinstance(error, grpc.aio.BaseError) and not isinstance(error, grpc.aio.UsageError)

    def _before_abort(self, code: Any, trailing_metadata: Any) -> Any:
        """Tell of the status, and answer with the trailing metadata to abort with; the handler's own where ours fails."""
        try:
            self.status = _status(code)
            self.aborted = True
            if trailing_metadata:  # none: those that were set before
                self.set_trailing_metadata(trailing_metadata)
            if self.tell is not None:
                self.tell()
            return self.known_trailing_metadata()
        except Exception:
            _log.exception("a failing RPC goes out without its error chain")
            return trailing_metadata


class WatchedAioContext(_SendingAtOnce, grpc.aio.ServicerContext):  # type: ignore[type-arg]  # not generic at run time
    """The context of a coroutine, or of an asynchronous generator."""

    async def abort(self, code: Any, details: str = "", trailing_metadata: Any = ()) -> Any:
        return await self._context.abort(code, details, self._before_abort(code, trailing_metadata))

    async def abort_with_status(self, status: Any) -> Any:
        return await self.abort(status.code, status.details, status.trailing_metadata)

    async def read(self) -> Any:
        return await self._context.read()

    async def write(self, message: Any) -> None:
        await self._context.write(message)

    async def send_initial_metadata(self, initial_metadata: Any) -> None:
        await self._context.send_initial_metadata(initial_metadata)

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        self._context.add_done_callback(callback)

    def cancelled(self) -> bool:
        return bool(self._context.cancelled())

    def done(self) -> bool:
        return bool(self._context.done())


class WatchedThreadContext(_SendingAtOnce, WatchedContext):
    """The context of a plain function, which such a server runs in a thread."""

    def abort(self, code: Any, details: str = "", trailing_metadata: Any = ()) -> Any:
        return self._context.abort(code, details, self._before_abort(code, trailing_metadata))

    def abort_with_status(self, status: Any) -> Any:
        return self.abort(status.code, status.details, status.trailing_metadata)


def _status(code: Any) -> grpc.StatusCode:
    if isinstance(code, grpc.StatusCode):
        return code
    return _STATUSES.get(code, grpc.StatusCode.UNKNOWN)
