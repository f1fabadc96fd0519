"""The hedge as a strategy: another attempt beside a slow one, and the first good answer."""

from __future__ import annotations

import threading
from typing import Any

from otel_resilience import classify
from otel_resilience.context import request
from otel_resilience.events import HedgeFinished, HedgeStarted, RetrySuppressed
from otel_resilience.flow.call import Call
from otel_resilience.flow.effects import Flow, Proceed, Race, Raced
from otel_resilience.flow.workers import WorkerPool
from otel_resilience.forking import forget_after_fork
from otel_resilience.listener import LISTENERS
from otel_resilience.outcome import Failure, Result, Success
from otel_resilience.policies.hedge.options import HedgeOptions
from otel_resilience.policies.retry_budget.policy import RetryBudget
from otel_resilience.policies.retry_budget.spender import BudgetSpender
from otel_resilience.policies.shown import shown
from otel_resilience.windows.latencies import Latencies


class Hedge(BudgetSpender):
    """Makes another attempt where the first is slow, and answers with whichever is good first.

    Another one begins each time that ``after`` seconds have passed without an answer, or the latency that a
    share of ``after_quantile`` of the last 200 calls did not exceed (no hedge before 20 calls are known); at
    most ``max_hedges``, and each needs 1 of the ``budget``, by default one per name with the retries. The
    winner returns at once; in asyncio the others are cancelled, in threads they end behind, and nobody waits
    for either. An attempt that fails before another was begun is the end: a hedge is no retry.

    For functions that may be called twice at the same time: a call that must not be repeated, a stream, and
    the calls of a request that is itself a retry are not hedged. In threads attempts run in at most
    ``max_threads`` workers, with the caller's context; where none is free, the call is made without. One of
    ``after`` and ``after_quantile`` is required (``TypeError``). Raises ``ConfigurationError`` for a wrong
    option. Safe for threads and tasks.
    """

    policy_type = "hedge"

    def __init__(
        self,
        *,
        after: float | None = None,
        after_quantile: float | None = None,
        max_hedges: int = 1,
        budget: RetryBudget | None = None,
        max_threads: int = 32,
    ) -> None:
        if after is None and after_quantile is None:
            raise TypeError("Hedge needs after (seconds) or after_quantile (a share of calls)")
        self._options = HedgeOptions(
            after=after,
            after_quantile=after_quantile,
            max_hedges=max_hedges,
            budget=budget,
            max_threads=max_threads,
        )
        self._budget = budget
        self._pool = WorkerPool("hedge", max_threads)
        self.forget()
        forget_after_fork(self)

    def forget(self) -> None:
        """Know no latencies, with a lock that nobody holds."""
        self._lock = threading.RLock()  # guards the latencies; a signal handler may come here once more
        self._latencies = Latencies()

    def bind(self, name: str) -> None:
        if self._name is None:
            self._pool.name = f"{name} hedge"
        super().bind(name)

    @property
    def options(self) -> HedgeOptions:
        return self._options

    @property
    def delay(self) -> float | None:
        """Seconds that an attempt is waited for before the next; ``None`` while too few calls are known."""
        share = self._options.after_quantile
        if share is None:
            return self._options.after
        with self._lock:
            return self._latencies.quantile(share)

    def flow(self, call: Call, proceed: Proceed) -> Flow:
        if not call.enforced or call.not_replayable is not None or call.alone:
            return (yield from proceed())
        budget = self._budget or self._settle_budget(call.name)
        if not call.retrying:
            budget.record_first_attempt(call.clock.monotonic())
        delay = self.delay
        if delay is None:
            return (yield from self._measured(call, proceed(), call.clock.monotonic()))
        race = _HedgedCall(self, call, proceed, budget, delay)
        effect = Race(race.start, race.decides, delay, self._pool)
        try:
            raced: Raced = yield effect
        except BaseException:
            race.end(1)
            raise
        race.end(raced.number)
        return raced.result

    def run(self, call: Call, flow: Flow, hedge: int | None, delay: float) -> Flow:
        """One of the attempts side by side; ``hedge`` is its number where it is not the first."""
        if hedge is not None:
            LISTENERS.announce(HedgeStarted(name=call.name, attempt=hedge, delay=delay))
        began, made = call.clock.monotonic(), call.attempts

        def ended(result: Result[Any]) -> None:
            if hedge is not None:
                elapsed = call.clock.monotonic() - began
                outcome = call.outcome_of(result, begun=call.attempts > made, elapsed=elapsed)
                LISTENERS.announce(HedgeFinished(name=call.name, outcome=outcome))

        try:
            result = yield from self._measured(call, flow, began)
        except BaseException as error:
            ended(Failure(error))
            raise
        ended(result)
        return result

    def _measured(self, call: Call, flow: Flow, began: float) -> Flow:
        result = yield from flow
        # One that was called off took at least as long: left out, only the fast ones would say what is slow.
        if isinstance(result, Success) or classify.is_cancellation(result.error):
            with self._lock:
                self._latencies.add(call.clock.monotonic() - began)
        return result

    def __repr__(self) -> str:
        return shown("Hedge", None, self._options)


class _HedgedCall:
    """One logical call with its attempts side by side, each with a state of its own."""

    def __init__(self, hedge: Hedge, call: Call, proceed: Proceed, budget: RetryBudget, delay: float) -> None:
        self._hedge = hedge
        self._call = call
        self._proceed = proceed
        self._budget = budget
        self._delay = delay
        self._branches: list[Call] = []

    def start(self, number: int) -> Flow | None:
        """The flow of attempt ``number``; ``None`` where there must be no other."""
        if number > 1 and not self._may_start(number):
            return None
        branch = self._call.branch(hedge=number > 1)
        self._branches.append(branch)
        attempt = self._call.attempts + number if number > 1 else None
        return self._hedge.run(branch, self._proceed(branch), attempt, self._delay)

    def decides(self, number: int, result: Result[Any]) -> bool:
        """Whether ``result`` ends the race: a good answer, or the end of the wish for one."""
        if isinstance(result, Failure):
            return classify.is_cancellation(result.error)
        return not self._branches[number - 1].reading(result).failed

    def end(self, number: int) -> None:
        """What became of attempt ``number`` is what became of the call."""
        self._call.adopt(self._branches, self._branches[number - 1])

    def _may_start(self, number: int) -> bool:
        if number > self._hedge.options.max_hedges + 1:
            return False
        reason = self._reason_against()
        if reason is not None:
            LISTENERS.announce(RetrySuppressed(name=self._call.name, reason=reason))
        return reason is None

    def _reason_against(self) -> str | None:
        current = request.current()
        if current is not None and current.attempt > 1:
            return "nested"
        return None if self._budget.take(self._call.clock.monotonic()) else "budget"
