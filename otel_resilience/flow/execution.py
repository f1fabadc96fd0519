"""The edge of a guarded call: how it begins, and the one place where its end is told to everybody."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from otel_resilience.context import guards
from otel_resilience.errors import aggregate, failed_call
from otel_resilience.errors.failed_call import FailedCall
from otel_resilience.errors.hop import HopKind
from otel_resilience.events import ExecutionFailed, ExecutionFinished
from otel_resilience.exceptions import ResilienceError, ServiceTimeoutError
from otel_resilience.flow.call import Call, attempt
from otel_resilience.flow.effects import Flow, Proceed
from otel_resilience.listener import LISTENERS, tracing
from otel_resilience.outcome import Failure, Outcome, Result

Compose = Callable[[Call, Proceed], Flow]

_NO_FAILURE = frozenset({Outcome.SUCCESS, Outcome.FALLBACK, Outcome.CANCELLED})


def _attempt(call: Call, other: Call | None = None) -> Flow:
    return attempt(other or call)


class Execution:
    """One logical call between ``begin`` and ``finish``, both in the same context (a parked one has its own)."""

    __slots__ = ("_counted", "_guard", "_token", "_traced", "call", "flow")

    def __init__(self, call: Call, compose: Compose, *, traced: bool, is_client: bool) -> None:
        self.call = call
        self._traced = traced
        self._counted = not guards.is_active(call.name)
        self._guard, self._token = guards.enter(call.name)
        artist = tracing() if traced else None
        if artist is not None:
            call.scope = artist.call_started(call.name, call.peer, is_client)
        self.flow = compose(call, partial(_attempt, call))

    def finish(self, result: Result[Any]) -> Result[Any]:
        """Tell everybody how the call ended; answer with what its caller gets."""
        call = self.call
        guards.leave(self._token)
        call.outcome = call.outcome_of(result, begun=call.attempts > 0, elapsed=call.elapsed())
        reading = call.reading(result)
        if call.late:
            # It was returned, and read as what it is; but what it is reported as is the end of the time.
            code = ServiceTimeoutError.error_code
            reading = replace(reading, code=code, error_type=code, kind=HopKind.TIMEOUT)
        if call.outcome is Outcome.CANCELLED:
            call.error_type = None
        else:
            call.error_type = reading.error_type
        if isinstance(result, Failure):
            call.error = result.error
            if isinstance(result.error, ResilienceError):
                result = Failure(call.dialect.own(result.error))
        # Whoever cancels a call has reasons of its own; what had failed inside of it has failed all the same.
        inside = () if call.outcome is Outcome.CANCELLED else failed_call.take_inside(self._guard)
        if call.outcome not in _NO_FAILURE:
            failed = FailedCall.of(reading, exhausted=call.retries_exhausted, began=call.started)
            call.failed_call = aggregate.told_by(failed, inside)
            if failed_call.is_failure(reading):
                failed_call.remember(call.failed_call)
        self._announce()
        call.let_go()
        return result

    def _announce(self) -> None:
        call = self.call
        if call.failed_call is not None and call.error is not None and self._traced:
            LISTENERS.announce(
                ExecutionFailed(
                    name=call.name,
                    error=call.error,
                    error_code=call.failed_call.code,
                    remote=call.failed_call.received is not None,
                )
            )
        LISTENERS.announce(
            ExecutionFinished(
                name=call.name,
                outcome=call.outcome,
                error_type=call.error_type,
                enforced=call.enforced,
                traced=self._traced,
                duration=call.elapsed(),
                peer=call.peer,
                counted=self._counted,
            )
        )
        if call.scope is not None:
            call.scope.finish(call)
