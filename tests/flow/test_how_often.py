"""A guarded function is called as often as its policies say, and never once more."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from otel_resilience import (
    Backoff,
    Bulkhead,
    CircuitBreaker,
    Fallback,
    FaultInjector,
    Pipeline,
    RateLimiter,
    Retry,
    RetryBudget,
    Timeout,
)
from otel_resilience.events import AttemptFinished, ExecutionFinished
from otel_resilience.testing import Draws, ManualClock, Recorder
from tests.worlds import WORLDS, World

_NAMES = (f"how often {number}" for number in itertools.count())

#: What one attempt comes to; the number is the seconds that it takes.
ATTEMPTS = st.tuples(
    st.sampled_from(["good", "bad result", OSError, KeyError, KeyboardInterrupt]), st.sampled_from([0.0, 3.0])
)

OTHERS: dict[str, Callable[[], Any]] = {
    "timeout": lambda: Timeout(5.0),
    "short timeout": lambda: Timeout(2.0),
    "breaker": lambda: CircuitBreaker(failure_threshold=2, recovery_timeout=1.0),
    "bulkhead": lambda: Bulkhead(max_concurrency=1),
    "limiter": lambda: RateLimiter(rate=2.0),
    "fallback": lambda: Fallback(None),
    "fault": lambda: FaultInjector(rate=0.5),
}


class Scripted:
    """Comes to what it was told, attempt by attempt, and counts."""

    def __init__(self, script: list[tuple[Any, float]], clock: ManualClock) -> None:
        self._script: Iterator[tuple[Any, float]] = itertools.cycle(script)
        self._clock = clock
        self.calls = 0

    def __call__(self) -> object:
        self.calls += 1
        what, seconds = next(self._script)
        self._clock.advance(seconds)
        if isinstance(what, str):
            return what
        raise what


@settings(max_examples=300, deadline=None)
@given(
    script=st.lists(ATTEMPTS, min_size=1, max_size=5),
    order=st.permutations([*OTHERS, "retry"]),
    kept=st.integers(0, len(OTHERS)),
    most=st.integers(1, 4),
    spendable=st.integers(0, 4),
    mode=st.sampled_from(["enforce", "shadow", "off"]),
    world=st.sampled_from(WORLDS),
)
def test_never_more_often_than_the_policies_say(
    script: list[tuple[Any, float]],
    order: list[str],
    kept: int,
    most: int,
    spendable: int,
    mode: str,
    world: World,
) -> None:
    budget = RetryBudget(ratio=0.0, min_per_second=spendable / 1000.0, window_seconds=1000.0)
    retry = Retry(
        on=OSError,
        results=lambda result: result == "bad result",
        max_attempts=most,
        backoff=Backoff(initial=1.0),
        budget=budget,
    )
    with_retry = "retry" in order[: kept + 1]
    policies = [retry if name == "retry" else OTHERS[name]() for name in order[: kept + 1]]
    with ManualClock(auto=True) as clock, Recorder() as seen, Draws.seeded(7):
        name = next(_NAMES)
        guard = Pipeline(name, *policies, mode=mode)
        fn = Scripted(script, clock)
        spent, rounds = 0, 3
        for _ in range(rounds):
            before = fn.calls
            try:
                world.call(guard, fn)
            except BaseException:  # what it comes to is other tests' business
                pass
            made = fn.calls - before
            assert made <= (most if with_retry and mode == "enforce" else 1)
            if mode != "enforce":
                assert made == 1, "nothing keeps a call back, and nothing repeats it"
            spent += max(0, made - 1)
        assert spent <= spendable
    # By name, as threads of other tests may still come to their end.
    finished = [event for event in seen.of(ExecutionFinished) if event.name == name]
    sent = len([event for event in seen.of(AttemptFinished) if event.name == name])
    if mode == "off":
        assert finished == []
    else:
        assert len(finished) == rounds
        injected = "fault" in order[: kept + 1] and mode == "enforce"
        assert sent >= fn.calls if injected else sent == fn.calls, "a fault stands in for an attempt"
