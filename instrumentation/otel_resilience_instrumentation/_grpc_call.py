"""One outgoing RPC of a thread."""

from __future__ import annotations

from typing import Any

import grpc

from otel_resilience import clock
from otel_resilience.errors.dialects.grpc import (
    DIALECT,
    CallCancelled,
    refused_call,
    was_cancelled_here,
)
from otel_resilience.errors.failed_call import remember_end
from otel_resilience.flow.call import NOT_IDEMPOTENT
from otel_resilience.outcome import Failure, Result
from otel_resilience_instrumentation import _grpc_span, _processor
from otel_resilience_instrumentation._grpc_metadata import Pairs, distinct, receive
from otel_resilience_instrumentation._grpc_outgoing import OutgoingRpc, current


class SyncRpc(OutgoingRpc):
    """One logical call that is waited for, or parked."""

    dialect = DIALECT

    def block(self, *, replayable: bool) -> Any:
        """Make the call in this thread: what it returns, or the very error that it raises."""
        try:
            if self._target is None:
                return self._unguarded()
            _processor.ensure_added()
            may_repeat = replayable and self._target.idempotent
            return self._target.pipeline.execute(
                self._attempt,
                dialect=DIALECT,
                peer=self._target.service,
                not_replayable=None if may_repeat else NOT_IDEMPOTENT,
            )
        except CallCancelled as cancelled:
            error = cancelled.error
        raise error or grpc.RpcError()

    def _unguarded(self) -> Any:
        began = clock.current().monotonic()
        try:
            return self._attempt()
        except Exception as error:
            if isinstance(error, grpc.RpcError):
                remember_end(DIALECT.read(Failure(error)), began=began)
            raise

    def _attempt(self) -> Any:
        span, metadata = self._dressed()
        try:
            with current(span):
                result = self._send(metadata)
        except BaseException as error:
            receive(error, self._method.host)
            if span is not None:
                _grpc_span.end(span, error)
            if was_cancelled_here(error):
                raise CallCancelled(error) from None
            raise
        if span is not None:
            _grpc_span.end(span, None)
        return result

    def _send(self, metadata: Pairs) -> Any:
        return super()._send(distinct(metadata) if self._method.official else metadata)

    def _refused(self, refused: Result[Any]) -> Any:
        return refused_call(refused)
