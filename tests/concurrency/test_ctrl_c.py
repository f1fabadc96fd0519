"""Ctrl-C at every place where the interpreter looks for one: no lock stays held, nothing is left set."""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Iterator

import pytest

from otel_resilience import (
    Backoff,
    Bulkhead,
    CircuitBreaker,
    Pipeline,
    RateLimiter,
    Retry,
    Timeout,
)
from otel_resilience.context import surroundings
from otel_resilience.policies.retry_budget.policy import RetryBudget
from otel_resilience.testing import ManualClock
from tests.concurrency.holding import returns
from tests.concurrency.interrupting import happening_at


def interrupted_at(place: int, work: Callable[[], object]) -> bool:
    """Run ``work``, with a Ctrl-C at that place; ``False`` past the last one."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    try:
        return happening_at(place, interrupt, work) is not None
    except KeyboardInterrupt:
        return True


class Scene:
    """Policies that nobody has used, and one call through all of them."""

    def __init__(self) -> None:
        retry = Retry(on=OSError, backoff=Backoff(initial=0.0), budget=RetryBudget())
        gates = [RateLimiter(rate=1000.0, burst=1000), Bulkhead(max_concurrency=1000), CircuitBreaker()]
        self.guard = Pipeline("ctrl-c", Timeout(60.0), retry, *gates)
        self.block = Pipeline("ctrl-c", Timeout(60.0), *gates)

    def call(self) -> None:
        self.guard.call(len, "")

    def stream(self) -> None:
        def items() -> Iterator[int]:
            yield from range(2)

        list(self.guard(items)())

    def enter(self) -> None:
        with self.block:
            pass

    def goes_on(self) -> bool:
        """For another thread, which any lock would stop that is held for ever."""
        return returns(lambda: [self.call(), self.stream(), self.enter()], 5.0)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("form", ["call", "stream", "enter"])
def test_whenever_it_comes(form: str) -> None:
    place, wrong = 0, list[int]()
    with ManualClock():
        while True:
            place += 1
            scene, context = Scene(), contextvars.copy_context()
            outside = context.run(surroundings.take)
            if not context.run(interrupted_at, place, getattr(scene, form)):
                break
            # A ``with`` statement that is interrupted at its very edge is not left, for any context manager.
            as_before = form == "enter" or context.run(surroundings.take) == outside
            if not (as_before and scene.goes_on()):
                wrong.append(place)
    assert place > 100
    assert wrong == []
