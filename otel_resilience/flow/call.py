"""The state of one logical call: made when it begins, gone when it ended, never kept on a policy."""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

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


class Arguments(NamedTuple):
    """What the guarded ``function`` is called with; ``None`` where nobody knows which one it is, nor with what."""

    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = MappingProxyType({})
    function: object = None


NO_ARGUMENTS = Arguments()

#: Why a call must not be sent a second time, by the names of ``resilience.retry.suppression.reason``.
NOT_IDEMPOTENT = "not_idempotent"


class Call:
    """One logical call through the policies of one guard. Used by one thread or task at a time.

    ``not_replayable`` is ``None`` where the call may be sent again, else why not. ``expires_at`` is the
    deadline that a timeout of this very call has set, ``retrying`` whether a retry policy is around what
    runs. ``patience``: how many seconds a cancelled call may have run and still say nothing. ``arguments``
    are those of the guarded function, as far as they are known. ``replacement`` is the result that a fallback
    put in the place of a failure. ``alone``: it cannot be made twice at the same time (a stream, the
    construction of an object). ``delivered``: the first item of a stream has gone out.
    """

    __slots__ = (
        "_hedging",
        "_numbers",
        "_read",
        "_reading",
        "alone",
        "arguments",
        "attempts",
        "breaker_state",
        "clock",
        "delivered",
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
        "replacement",
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
        arguments: Arguments = NO_ARGUMENTS,
        alone: bool = False,
    ) -> None:
        self.name = name
        self.arguments = arguments
        self.alone = alone
        self.delivered = False
        self.replacement: Result[Any] | None = None
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
        self._numbers = itertools.count(1)  # of attempts; shared by all that are made side by side
        self._hedging = False
        self._read: Result[Any] | None = None
        self._reading: Reading | None = None

    def branch(self, *, hedge: bool) -> Call:
        """This call as one of several that go on side by side; ``hedge``: it was begun beside another one."""
        other = copy.copy(self)
        other._hedging = hedge
        return other

    def adopt(self, branches: list[Call], chosen: Call) -> None:
        """Go on as ``chosen``, having made the attempts of all ``branches``."""
        self.attempts += sum(branch.attempts - self.attempts for branch in branches)
        self.retry_delay_total = max(self.retry_delay_total, chosen.retry_delay_total)
        self.retries_exhausted = chosen.retries_exhausted
        self.breaker_state = chosen.breaker_state
        self.rejection_reason = chosen.rejection_reason
        self.patience = chosen.patience
        self.late = chosen.late
        self.replacement = chosen.replacement

    def first_item_delivered(self) -> None:
        """A consumer has seen something of the answer: it can no longer be asked for again, nor replaced."""
        self.delivered = True
        self.not_replayable = self.not_replayable or NOT_IDEMPOTENT

    def next_attempt(self) -> tuple[int, str]:
        """Number (1 is the first) and type of the attempt that is made now."""
        number = next(self._numbers)
        self.attempts += 1
        return number, "hedge" if self._hedging else "initial" if number == 1 else "retry"

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

    def let_go(self) -> None:
        """It has ended: hold nothing of what it came to, as frames of a traceback may hold the call."""
        self.error = self.replacement = None
        self.forget_reading()

    def forget_reading(self) -> None:
        """Read the last result anew: it was marked since."""
        self._read = self._reading = None

    def outcome_of(self, result: Result[Any], *, begun: bool, elapsed: float) -> Outcome:
        """What a caller gets who gets ``result`` after ``elapsed`` seconds."""
        if self.late:
            return Outcome.TIMEOUT
        if result is self.replacement:
            return Outcome.FALLBACK
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


def invocation() -> Flow:
    """What an attempt is made of, unless a fault stands in for it."""
    result: Result[Any] = yield INVOKE
    return result


def attempt(call: Call, body: Callable[[], Flow] = invocation) -> Flow:
    """The innermost flow: one attempt, which is sent (or, with another ``body``, looks as if it were)."""
    number, attempt_type = call.next_attempt()
    token = attempt_context.enter(attempt_context.Attempt(number))
    scope = None if call.scope is None else call.scope.attempt_started(number)
    began = call.clock.monotonic()

    def ended(result: Result[Any]) -> None:
        attempt_context.leave(token)
        outcome = call.outcome_of(result, begun=True, elapsed=call.clock.monotonic() - began)
        if scope is not None:
            scope.finish(outcome, result.error if isinstance(result, Failure) else None)
        LISTENERS.announce(AttemptFinished(name=call.name, attempt_type=attempt_type, outcome=outcome))

    try:
        result = yield from body()
    except BaseException as error:
        ended(Failure(error))
        raise
    ended(result)
    return result
