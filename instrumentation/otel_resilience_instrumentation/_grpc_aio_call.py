"""One outgoing RPC of a task."""

from __future__ import annotations

import asyncio
from typing import Any

from otel_resilience.context import deadline
from otel_resilience.errors.dialects.grpc_aio import DIALECT
from otel_resilience.flow.call import NOT_IDEMPOTENT
from otel_resilience.outcome import Failure, Result, Success, unwrap
from otel_resilience_instrumentation import _grpc_span, _processor
from otel_resilience_instrumentation._grpc_aio_refused import refused_call
from otel_resilience_instrumentation._grpc_metadata import receive
from otel_resilience_instrumentation._grpc_outgoing import OutgoingRpc, current

#: Seconds. How much later than ours gRPC's own deadline, which is the same instant, may come.
_GRACE = 0.1


class AioRpc(OutgoingRpc):
    """One logical call that is awaited, or parked.

    ``attempt``: the library's call that is under way, ``answered``: the one whose answer this call's is.
    """

    dialect = DIALECT
    attempt: Any = None
    answered: Any = None

    @property
    def guarded(self) -> bool:
        return self._target is not None

    async def make(self) -> Any:
        """Make the call, which is guarded, in this task: its response, or the very error that it raises."""
        if self._target is None:
            raise RuntimeError("a call without policies is parked")
        _processor.ensure_added()
        return await self._target.pipeline.aexecute(
            self._attempt,
            dialect=DIALECT,
            peer=self._target.service,
            not_replayable=None if self._target.idempotent else NOT_IDEMPOTENT,
        )

    async def _attempt(self) -> Any:
        span, metadata = self._dressed()
        answering: asyncio.Future[Result[Any]] | None = None
        try:
            with current(span):
                call = self.attempt = self._send(metadata)
            answering = asyncio.ensure_future(_result_of(call))
            response = unwrap(await _answer(answering))
        except BaseException as error:
            receive(error, self._method.host)
            if span is not None:
                _grpc_span.end(span, _told(answering) or error)
            raise
        self.answered = call
        if span is not None:
            _grpc_span.end(span, None)
        return response

    def _refused(self, refused: Result[Any]) -> Any:
        return refused_call(refused)


async def _result_of(call: Any) -> Result[Any]:
    try:
        return Success(await call)
    except Exception as error:
        return Failure(error)


async def _answer(answering: asyncio.Future[Result[Any]]) -> Result[Any]:
    # A cancelled RPC has no status, and the official interceptor never ends its span. Where it is the deadline
    # that cancels us, the RPC is about to end by itself, as it was sent with that deadline.
    try:
        await asyncio.wait({answering})
    except asyncio.CancelledError:
        if deadline.remaining() == 0.0:
            await asyncio.wait({answering}, timeout=_GRACE)
        raise
    finally:
        answering.cancel()
    return answering.result()


def _told(answering: asyncio.Future[Result[Any]] | None) -> BaseException | None:
    """The error with which the RPC itself ended, where it did."""
    if answering is None or not answering.done() or answering.cancelled():
        return None
    result = answering.result()
    return result.error if isinstance(result, Failure) else None
