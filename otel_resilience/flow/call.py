"""The state of one logical call: made when it begins, gone when it ended, never kept on a policy."""

from __future__ import annotations

import math
from typing import Any

from otel_resilience import classify, clock
from otel_resilience.context import attempt as attempt_context
from otel_resilience.context import deadline
from otel_resilience.errors.adopt import is_timed_out
from otel_resilience.errors.failed_call import FailedCall
from otel_resilience.errors.reading import PLAIN, Dialect, Reading
from otel_resilience.events import AttemptFinished, Cause, ExecutionRejected
from otel_resilience.exceptions import RejectedError
from otel_resilience.flow.effects import INVOKE, Flow
from otel_resilience.listener import LISTENERS, CallScope
from otel_resilience.outcome import Failure, Mode, Outcome, Result, Success


class Call:
    """One logical call through the policies of one guard. Used by one thread or task at a time.

    ``replayable`` is ``None`` where the call may be sent again, else why not. ``expires_at`` is the deadline that a timeout of this
    very call has set, ``retrying`` whether a retry policy is around what runs. ``patience``: how many seconds a cancelled call may have run and still say nothing.
    """

    __slots__ = (
        "_read",
        "_reading",
        "attempts",
        "breaker_state",
        "clock",
        "dialect",
        "error",
        "error_type",
        "expires_at",
        "failed_call",
        "late",
        "mode",
        "name",
        "not_replayable",
        "outcome",
        "patience",
        "peer",
        "rejection_reason",
        "retries_exhausted",
        "retry_delay_total",
        "retrying",
        "scope",
        "started",
    )

    def __init__(
        self,
        name: str,
        *,
        mode: Mode = Mode.ENFORCE,
        dialect: Dialect = PLAIN,
        peer: str | None = None,
        not_replayable: str | None = None,
    ) -> None:
        self.name = name
        self.mode = mode
        self.dialect = dialect
        self.peer = peer
        self.not_replayable = not_replayable
        self.clock = clock.current()
        self.started = self.clock.monotonic()
        self.attempts = 0
        self.retry_delay_total = 0.0
        self.retries_exhausted = False
        self.retrying = False
        self.breaker_state: str | None = None
        self.rejection_reason: str | None = None
        self.expires_at: float | None = None
        self.patience = math.inf
        self.late = False
        self.scope: CallScope | None = None
        self.outcome = Outcome.SUCCESS
        self.error: BaseException | None = None
        self.error_type: str | None = None
        self.failed_call: FailedCall | None = None
        self._read: Result[Any] | None = None
        self._reading: Reading | None = None

    @property
    def enforced(self) -> bool:
        """Whether decisions are acted on, not only counted."""
        return self.mode is Mode.ENFORCE

    def elapsed(self) -> float:
        """Seconds since the call began."""
        return self.clock.monotonic() - self.started

    def overdue(self) -> bool:
        """Whether a deadline that this call set has passed."""
        return self.expires_at is not None and self.clock.monotonic() >= self.expires_at

    def outlasted(self) -> bool:
        """Whether a deadline that binds this call has passed: one that it set, or one that it was made under."""
        return self.overdue() or deadline.remaining() == 0.0

    def reading(self, result: Result[Any]) -> Reading:
        """What ``result`` means to this call's client; each result is read once."""
        if self._reading is None or self._read is not result:
            self._read, self._reading = result, self.dialect.read(result)
        return self._reading

    def forget_reading(self) -> None:
        """Read the last result anew: it was marked since."""
        self._read = self._reading = None

    def outcome_of(self, result: Result[Any], *, begun: bool, elapsed: float) -> Outcome:
        """What a caller gets who gets ``result`` after ``elapsed`` seconds."""
        if self.late:
            return Outcome.TIMEOUT
        if isinstance(result, Success):
            return Outcome.FAILURE if self.reading(result).failed else Outcome.SUCCESS
        if is_timed_out(result.error):
            return Outcome.TIMEOUT
        return classify.outcome_of_error(
            result.error, begun=begun, elapsed=elapsed, patience=self.patience, overdue=self.outlasted()
        )

    def reject(
        self, error: RejectedError, *, policy_type: str, reason: str, cause: Cause | None = None
    ) -> Failure:
        """Announce that a policy refuses (in shadow: would refuse) this call, and answer with the error."""
        if self.enforced:
            self.rejection_reason = reason
        LISTENERS.announce(
            ExecutionRejected(
                name=self.name,
                policy_type=policy_type,
                reason=reason,
                enforced=self.enforced,
                error_code=error.error_code,
                retry_after=error.retry_after,
                cause=cause,
            )
        )
        return Failure(error)


def attempt(call: Call) -> Flow:
    """The innermost flow: one attempt, which is sent."""
    call.attempts += 1
    token = attempt_context.enter(attempt_context.Attempt(call.attempts))
    scope = None if call.scope is None else call.scope.attempt_started(call.attempts)
    began = call.clock.monotonic()
    result: Result[Any] = Failure(GeneratorExit())
    try:
        result = yield INVOKE
    except BaseException as error:
        result = Failure(error)
        raise
    finally:
        attempt_context.leave(token)
        outcome = call.outcome_of(result, begun=True, elapsed=call.clock.monotonic() - began)
        if scope is not None:
            scope.finish(outcome, result.error if isinstance(result, Failure) else None)
        LISTENERS.announce(
            AttemptFinished(
                name=call.name, attempt_type="initial" if call.attempts == 1 else "retry", outcome=outcome
            )
        )
    return result
