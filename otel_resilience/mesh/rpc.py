"""One RPC through a mesh, from its policies to the endpoint of each attempt."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import grpc

from otel_resilience.context import deadline
from otel_resilience.context import endpoint as in_hand
from otel_resilience.discovery.endpoint import Endpoint
from otel_resilience.errors.dialects.grpc import (
    DIALECT,
    CallCancelled,
    end_of,
    refused_call,
    was_cancelled_here,
)
from otel_resilience.exceptions import NoHealthyEndpointError
from otel_resilience.flow.call import NOT_IDEMPOTENT
from otel_resilience.flow.parked import ParkedExecution
from otel_resilience.mesh.line import Line
from otel_resilience.outcome import Failure, unwrap

#: Makes the call at an endpoint, within so many seconds.
Send = Callable[[Endpoint, float | None], Any]


class Rpc:
    """One logical call of ``method`` (``package.Service/Method``), made by ``send``."""

    def __init__(self, line: Line, method: str, send: Send, timeout: float | None) -> None:
        self._line = line
        self._send = send
        self._timeout = timeout
        self._routed = line.routed(method)

    def block(self, replayable: bool) -> Any:
        """Make the call in this thread: what it returns, or the very error that it raises."""
        inside = in_hand.of(self._line.service)
        if inside is not None:
            return self._send(inside, self._limit())
        if not self._routed.pipeline.enabled:
            return self._anywhere()
        try:
            return self._routed.pipeline.execute(
                self._attempt,
                dialect=DIALECT,
                peer=self._line.service,
                not_replayable=self._routed.not_replayable if replayable else NOT_IDEMPOTENT,
            )
        except CallCancelled as cancelled:
            error = cancelled.error
        raise error or grpc.RpcError()

    def park(self) -> Any:
        """Begin a call that ends elsewhere: the future or stream of it. A refused one is a call that has failed."""
        inside = in_hand.of(self._line.service)
        if inside is not None:
            return self._send(inside, self._limit())
        if not self._routed.pipeline.enabled:
            return self._anywhere()
        execution = self._routed.pipeline.park(dialect=DIALECT, peer=self._line.service)
        if execution.refused is not None:
            return refused_call(execution.refused)
        try:
            call = execution.run(self._attempt)
        except BaseException as error:
            ended = execution.finish(Failure(error))
        else:
            _settle_at_end(call, execution)
            return call
        return unwrap(ended)

    def _attempt(self) -> Any:
        endpoint = in_hand.of(self._line.service)
        if endpoint is None:
            raise RuntimeError(f"an RPC to {self._line.service} was made outside of its route")
        try:
            return self._send(endpoint, self._limit())
        except grpc.RpcError as error:
            if was_cancelled_here(error):
                raise CallCancelled(error) from None
            raise

    def _anywhere(self) -> Any:
        try:
            unguarded = self._line.unguarded()
        except NoHealthyEndpointError as refused:
            error = refused
        else:
            with unguarded as endpoint:
                return self._send(endpoint, self._timeout)
        raise DIALECT.own(error)

    def _limit(self) -> float | None:
        left = deadline.remaining()
        if left is None:
            return self._timeout
        return left if self._timeout is None else min(left, self._timeout)


def _settle_at_end(call: Any, execution: ParkedExecution) -> None:
    # Weakly: gRPC cancels a call that nobody holds any more, and a callback that holds it would prevent that.
    reference = weakref.ref(call)

    def ended() -> None:
        known = reference()
        execution.finish(Failure(CallCancelled()) if known is None else end_of(known))

    if not call.add_callback(ended):
        ended()
