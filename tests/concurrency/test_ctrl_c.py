"""Ctrl-C at every place where the interpreter looks for one: no lock stays held, nothing is left set."""

from __future__ import annotations

import contextvars
import inspect
import os
import sys
from collections.abc import Callable, Iterator
from types import FrameType

import pytest

import otel_resilience
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

PACKAGE = os.path.dirname(otel_resilience.__file__) + os.sep


def interrupted_at(place: int, work: Callable[[], object]) -> tuple[str, int] | None:
    """Run ``work``, with a Ctrl-C at the ``place``-th look of the interpreter for signals inside the package.

    It looks where a function begins, and where a call has come back. Answers with where that was, ``None`` past the last one.
    """
    looks, met = 0, None

    def profile(frame: FrameType, event: str, argument: object) -> None:
        nonlocal looks, met
        code = frame.f_code
        steps = event in ("call", "return") and not code.co_flags & inspect.CO_GENERATOR
        if met is None and code.co_filename.startswith(PACKAGE) and (steps or event == "c_return"):
            looks += 1
            if looks == place:
                met = (code.co_filename.removeprefix(PACKAGE), frame.f_lineno)
                raise KeyboardInterrupt

    sys.setprofile(profile)
    try:
        work()
    except KeyboardInterrupt:
        pass
    finally:
        sys.setprofile(None)
    return met


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
    place, wrong = 0, list[object]()
    with ManualClock():
        while True:
            place += 1
            scene, context = Scene(), contextvars.copy_context()
            outside = context.run(surroundings.take)
            met = context.run(interrupted_at, place, getattr(scene, form))
            if met is None:
                break
            # A ``with`` statement that is interrupted at its very edge is not left, for any context manager.
            as_before = form == "enter" or context.run(surroundings.take) == outside
            if not (as_before and scene.goes_on()):
                wrong.append(met)
    assert place > 100
    assert wrong == []
