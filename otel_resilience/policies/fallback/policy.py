"""The fallback as a strategy: something to go on with in the place of a failure."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any, Self

from otel_resilience import classify
from otel_resilience.events import FallbackExecuted
from otel_resilience.flow.call import Call
from otel_resilience.flow.effects import Flow, Proceed, Run
from otel_resilience.flow.guard import Guard
from otel_resilience.listener import LISTENERS
from otel_resilience.outcome import Failure, Outcome, Result, Success
from otel_resilience.policies import checks
from otel_resilience.policies.conditions import Errors, answers, checked_errors
from otel_resilience.policies.fallback.last_good import LastGood
from otel_resilience.policies.shown import said_of, told

_log = logging.getLogger("otel_resilience")


class Fallback(Guard):
    """Answers with something else where a call failed, which is then its outcome: ``fallback``.

    ``value_or_callable`` is the answer, or a function that gets the exception and gives it; in asyncio what
    it gives is awaited. What that function raises is raised, with the failure as its ``__context__``. ``on``
    are the exceptions it stands in for, types or predicate: by default every ``Exception``, rejections too,
    and never a cancellation. A result is never replaced, be it late or an HTTP 503, nor a stream whose first
    item has gone out. Raises ``ConfigurationError`` for a wrong option. Safe for threads and tasks.
    """

    policy_type = "fallback"

    def __init__(self, value_or_callable: Any, *, on: Errors = Exception) -> None:
        self._answer = value_or_callable
        self._on = checked_errors("Fallback", "on", on)
        self._memory: LastGood | None = None

    @classmethod
    def last_good(cls, *, max_age: float | None = None, on: Errors = Exception) -> Self:
        """Answer with what the last good call of the function with equal arguments gave, not older than ``max_age`` seconds.

        Kept for the 128 sets of arguments used last; where there is none, or the arguments have no hash, the
        failure goes on.
        """
        if max_age is not None:
            checks.positive_seconds("Fallback", "max_age", max_age)
        made = cls(None, on=on)
        made._memory = LastGood(max_age)
        return made

    def flow(self, call: Call, proceed: Proceed) -> Flow:
        result = yield from proceed()
        if isinstance(result, Success):
            if self._memory is not None and not call.reading(result).failed and not call.alone:
                self._memory.remember(call.arguments, result.value, call.clock.monotonic())
            return result
        if call.delivered or not self._stands_in_for(result.error):
            return result
        if not call.enforced:
            outcome = call.outcome_of(result, begun=call.attempts > 0, elapsed=call.elapsed())
            self._announce(call, result, outcome)
            return result
        give = self._giver(call, result.error)
        if give is None:
            return result
        given: Result[Any] = yield Run(give)
        if isinstance(given, Failure):
            return self._failed(call, result, given)
        call.replacement = given
        self._announce(call, result, Outcome.FALLBACK)
        return given

    def _stands_in_for(self, error: BaseException) -> bool:
        if classify.is_cancellation(error):
            return False
        try:
            return answers(self._on, error)
        except Exception:
            # A user's predicate. What the call came to is not lost for it.
            _log.exception("a predicate of fallback %r raised; the failure goes on", self._name)
            return False

    def _giver(self, call: Call, error: BaseException) -> Callable[[], Any] | None:
        """What gives the answer; ``None`` where nothing is remembered."""
        if self._memory is not None:
            kept = self._memory.recall(call.arguments, call.clock.monotonic())
            return None if kept is None else partial(_same, kept[0])
        if callable(self._answer):
            return partial(self._answer, error)
        return partial(_same, self._answer)

    def _failed(self, call: Call, result: Failure, given: Failure) -> Result[Any]:
        """The function that was to help has raised: its exception, which remembers the first one as Python would."""
        if given.error is result.error:
            return result
        if given.error.__context__ is None and given.error.__cause__ is not result.error:
            given.error.__context__ = result.error
        if not classify.is_cancellation(given.error):
            self._announce(call, result, Outcome.FAILURE)
        return given

    def _announce(self, call: Call, result: Failure, outcome: Outcome) -> None:
        reading = call.dialect.read(result)
        LISTENERS.announce(
            FallbackExecuted(
                name=call.name,
                outcome=outcome,
                enforced=call.enforced,
                error_type=reading.error_type,
                error_code=reading.code,
            )
        )

    def __repr__(self) -> str:
        said = [f"on={said_of(self._on)}"] if self._on is not Exception else []
        if self._memory is None:
            return f"Fallback({', '.join([told(self._answer), *said])})"
        if self._memory.max_age is not None:
            said.insert(0, f"max_age={said_of(self._memory.max_age)}")
        return f"Fallback.last_good({', '.join(said)})"


def _same(value: Any) -> Any:
    return value
