"""The retry as a strategy: one flow, in which every reason not to try again has its name."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

from otel_resilience import chance, classify
from otel_resilience.context import deadline, request
from otel_resilience.errors.adopt import is_exhausted, mark_exhausted, moment
from otel_resilience.errors.reading import Reading
from otel_resilience.events import RetryExhausted, RetryFinished, RetryScheduled, RetrySuppressed
from otel_resilience.exceptions import CircuitOpenError, RetriesExhaustedError
from otel_resilience.flow.call import Call
from otel_resilience.flow.effects import Flow, Proceed, Sleep
from otel_resilience.listener import LISTENERS
from otel_resilience.outcome import Failure, Outcome, Result, Success
from otel_resilience.policies import checks
from otel_resilience.policies.retry.backoff import Backoff
from otel_resilience.policies.retry.conditions import Codes, On, asks_for_retry, is_final
from otel_resilience.policies.retry.options import RetryOptions
from otel_resilience.policies.retry_budget.policy import RetryBudget
from otel_resilience.policies.retry_budget.spender import BudgetSpender
from otel_resilience.policies.shown import shown

_log = logging.getLogger("otel_resilience")

#: A server's hint is lengthened by up to this share, so that its clients do not come back at once.
_HINT_SPREAD = 0.1


class Retry(BudgetSpender):
    """Calls again what failed in a way that another try may help.

    ``on`` (required) are the exceptions to retry, types or predicate; ``results`` is a predicate on results
    that ask for another try. At most ``max_attempts`` in all and ``max_elapsed`` seconds, with ``backoff``
    between them; a server's ``Retry-After`` is waited for, and ends the retrying if it is longer than
    ``retry_after_max`` or than the time that is left. Every retry needs 1 of the ``budget``, by default one
    per pipeline name.

    Never retried: an open circuit, a result that came too late, a failure whose chain says that a retry will
    not help, one that a retry inside or behind has given up on, and the calls of a request that is itself a
    retry. Ends with the last exception or response itself; ``RetriesExhaustedError`` only for ``results``.
    Raises ``ConfigurationError`` for a wrong option, ``TypeError`` without ``on``.
    """

    policy_type = "retry"

    def __init__(
        self,
        name: str | None = None,
        *,
        on: On,
        results: Callable[[Any], bool] | None = None,
        max_attempts: int = 3,
        backoff: Backoff | None = None,
        max_elapsed: float | None = None,
        retry_after_max: float = 30.0,
        budget: RetryBudget | None = None,
    ) -> None:
        self._name = checks.name_or_none("Retry", name)
        self._options = RetryOptions(
            on=on,
            results=results,
            max_attempts=max_attempts,
            backoff=Backoff() if backoff is None else backoff,
            max_elapsed=max_elapsed,
            retry_after_max=retry_after_max,
            budget=budget,
        )
        self._budget = self._options.budget
        if self._name is not None:
            self._settle_budget(self._name)

    @property
    def options(self) -> RetryOptions:
        return self._options

    def flow(self, call: Call, proceed: Proceed) -> Flow:
        if not call.enforced:
            return (yield from proceed())
        budget = self._budget or self._settle_budget(call.name)
        budget.record_first_attempt(call.clock.monotonic())
        outer, call.retrying = call.retrying, True
        since = moment()
        made = 0
        delay: float | None = None
        try:
            while True:
                result = yield from proceed()
                made += 1
                reading = call.reading(result)
                if not self._wants_another(call, result, reading):
                    return self._finish(call, result, made)
                if made >= self._options.max_attempts:
                    return self._exhaust(call, result, reading, made)
                delay = self._backoff(reading, made, delay)
                reason = self._reason_against(call, result, reading, delay, budget, since)
                if reason is not None:
                    return self._suppress(call, result, reason, made)
                self._announce_retry(call, reading, delay)
                call.retry_delay_total += delay
                yield Sleep(delay)
        finally:
            call.retrying = outer

    def _wants_another(self, call: Call, result: Result[Any], reading: Reading) -> bool:
        if call.late or (isinstance(result, Failure) and classify.is_cancellation(result.error)):
            return False
        try:
            return asks_for_retry(self._options.on, self._options.results, result, reading)
        except Exception:
            # A user's predicate. What the call came to is not lost for it, and is not asked for twice.
            _log.exception("a predicate of retry %r raised; the call is not retried", self._name)
            return False

    def _reason_against(
        self,
        call: Call,
        result: Result[Any],
        reading: Reading,
        delay: float,
        budget: RetryBudget,
        since: int,
    ) -> str | None:
        """Why not, by the names of ``resilience.retry.suppression.reason``; the budget is asked last, as it spends."""
        ends = _ends_of(result)
        if any(isinstance(end, CircuitOpenError) for end in ends):
            return "circuit_open"
        if call.not_replayable is not None:
            return call.not_replayable
        if self._is_nested(ends, reading, since):
            return "nested"
        if is_final(reading):
            return "not_retryable"
        if reading.retry_after is not None and reading.retry_after > self._options.retry_after_max:
            return "not_retryable"
        if not self._has_time_for(call, delay):
            return "deadline"
        if not budget.take(call.clock.monotonic()):
            return "budget"
        return None

    def _is_nested(self, ends: Iterable[object], reading: Reading, since: int) -> bool:
        """Only the innermost retry retries: of this process, of the services behind, of the services before us."""
        current = request.current()
        return (
            any(is_exhausted(end, since) for end in ends)
            or (reading.chain is not None and reading.chain.exhausted)
            or (current is not None and current.attempt > 1)
        )

    def _has_time_for(self, call: Call, delay: float) -> bool:
        left = deadline.remaining()
        if left is not None and delay >= left:
            return False
        longest = self._options.max_elapsed
        return longest is None or call.elapsed() + delay < longest

    def _backoff(self, reading: Reading, made: int, previous: float | None) -> float:
        draw = chance.draw()
        delay = self._options.backoff.delay(made, draw, previous)
        if reading.retry_after is not None:
            delay = max(delay, reading.retry_after * (1.0 + _HINT_SPREAD * draw))
        return delay

    def _finish(self, call: Call, result: Result[Any], made: int) -> Result[Any]:
        """An end that asks for no retry: a success, or a failure of another kind."""
        outcome = call.outcome_of(result, begun=call.attempts > 0, elapsed=call.elapsed())
        if outcome is not Outcome.CANCELLED:
            self._count(call, failed=outcome is not Outcome.SUCCESS, retried=made > 1)
        return result

    def _suppress(self, call: Call, result: Result[Any], reason: str, made: int) -> Result[Any]:
        LISTENERS.announce(RetrySuppressed(name=call.name, reason=reason))
        if reason in ("budget", "deadline"):
            self._give_up(call, result)
        self._count(call, failed=True, retried=made > 1)
        return result

    def _exhaust(self, call: Call, result: Result[Any], reading: Reading, made: int) -> Result[Any]:
        self._count(call, failed=True, retried=made > 1)
        if made > 1:
            LISTENERS.announce(
                RetryExhausted(
                    name=call.name, attempts=made, error_type=reading.error_type, error_code=reading.code
                )
            )
            self._give_up(call, result)
        if isinstance(result, Success) and not isinstance(self._options.on, Codes):
            error = RetriesExhaustedError(
                f"{call.name} gave no result to be content with in {made} attempts", last_result=result.value
            )
            mark_exhausted(error)
            return Failure(error)
        return result

    def _give_up(self, call: Call, result: Result[Any]) -> None:
        call.retries_exhausted = True
        if isinstance(result, Failure):
            mark_exhausted(result.error)
        elif isinstance(self._options.on, Codes):
            # A client's answer; any other value may be one object for good.
            mark_exhausted(result.value)

    def _count(self, call: Call, *, failed: bool, retried: bool) -> None:
        kind = f"{'failure' if failed else 'success'}_{'with' if retried else 'without'}_retry"
        LISTENERS.announce(RetryFinished(name=call.name, result=kind))

    def _announce_retry(self, call: Call, reading: Reading, delay: float) -> None:
        LISTENERS.announce(
            RetryScheduled(
                name=call.name,
                attempt=call.attempts + 1,
                delay=delay,
                error_type=reading.error_type,
                error_code=reading.code,
            )
        )

    def __repr__(self) -> str:
        return shown("Retry", self._name, self._options)


def _ends_of(result: Result[Any]) -> tuple[object, ...]:
    """What an attempt came to, and where that is a task group's failure, also what its tasks came to."""
    if isinstance(result, Success):
        return (result.value,)
    return (result.error, *classify.leaves(result.error))
