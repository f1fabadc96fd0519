"""Exceptions that fight back: the caller gets the very object, the breaker learns of it, nothing stays behind."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

import pytest

from otel_resilience import (
    Backoff,
    BreakerState,
    CircuitBreaker,
    Fallback,
    FaultInjector,
    Pipeline,
    Retry,
    Timeout,
    error_chain,
)
from otel_resilience.context import attempt, deadline
from otel_resilience.errors.reading import read_error
from otel_resilience.outcome import Failure
from otel_resilience.policies.retry_budget.policy import RetryBudget
from otel_resilience.testing import ManualClock
from tests.flow.flaky import Flaky, no_wait
from tests.worlds import World


class CodeRaises(Exception):
    @property
    def error_code(self) -> str:
        raise RuntimeError("no code")


class ResponseRaises(Exception):
    @property
    def response(self) -> object:
        raise RuntimeError("no response")


class HintRaises(Exception):
    @property
    def retry_after(self) -> float:
        raise RuntimeError("no hint")


class EverythingRaises(Exception):
    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)


class Incomparable(Exception):
    def __eq__(self, other: object) -> bool:
        raise RuntimeError("not comparable")

    def __hash__(self) -> int:
        raise RuntimeError("not hashable")


class Unsettable(Exception):
    def __setattr__(self, name: str, value: object) -> None:
        raise RuntimeError("not to be changed")


class Slotted(Exception):
    __slots__ = ("detail",)


@dataclass(frozen=True)
class Frozen(Exception):
    detail: int = 1


ODD = [CodeRaises, ResponseRaises, HintRaises, EverythingRaises, Incomparable, Unsettable, Slotted, Frozen]


@pytest.mark.parametrize("kind", ODD)
def test_is_raised_as_it_is_and_counted(world: World, clock: ManualClock, kind: type[Exception]) -> None:
    breaker = CircuitBreaker(failure_threshold=2)
    pipeline = Pipeline("odd", Timeout(5.0), Retry(on=Exception, max_attempts=2, backoff=no_wait()), breaker)
    error = kind()

    def fail() -> None:
        raise error

    with pytest.raises(kind) as raised:
        world.call(pipeline, fail)
    assert raised.value is error
    assert breaker.state is BreakerState.OPEN
    assert (attempt.current(), deadline.remaining()) == (None, None)
    assert error_chain(error) is None


@pytest.mark.parametrize(
    ("hint", "read"), [(10**400, 1e12), (float("nan"), None), (-1, None), (True, None), ("7", None), (7, 7.0)]
)
def test_a_hint_that_is_no_time_asks_for_nothing(hint: object, read: float | None) -> None:
    error = OSError()
    error.retry_after = hint  # type: ignore[attr-defined]  # what an application may do
    assert read_error(Failure(error)).retry_after == read


class Status(Enum):
    PENDING = 1


def no_words(x: object) -> bool:
    raise ValueError("a predicate that is broken")


class TestPredicateOfRetryThatRaises:
    def test_leaves_the_failure_as_it_is(self, world: World) -> None:
        error = OSError()
        flaky = Flaky(9, error=lambda: error)
        with pytest.raises(OSError) as raised:
            world.call(Retry("predicates", on=no_words), flaky)
        assert raised.value is error
        assert flaky.calls == 1

    def test_leaves_the_result_as_it_is(self, world: World) -> None:
        assert world.call(Retry("predicates", on=OSError, results=no_words), lambda: 5) == 5


class TestPredicateOfFallbackThatRaises:
    def test_leaves_the_failure_as_it_is(self, world: World) -> None:
        error = OSError()
        with pytest.raises(OSError) as raised:
            world.call(Fallback(7, on=no_words), Flaky(1, error=lambda: error))
        assert raised.value is error


class TestPredicateOfFaultThatRaises:
    def test_leaves_the_call_in_peace(self, world: World, caplog: pytest.LogCaptureFixture) -> None:
        def when(args: object, kwargs: object) -> bool:
            raise ValueError("a predicate that is broken")

        assert world.call(FaultInjector(when=when), Flaky(0)) == "done"
        assert [record.levelname for record in caplog.records] == ["ERROR"]


class Unequal:
    """Has a hash, and cannot be compared: as an array that somebody gave a hash."""

    def __hash__(self) -> int:
        return 1

    def __eq__(self, other: object) -> bool:
        raise ValueError("not comparable")


class TestArgumentsThatCannotBeCompared:
    def test_are_not_remembered_and_spoil_no_call(self) -> None:
        error = OSError()
        fails = False

        @Fallback.last_good()
        def answer(of: object) -> int:
            if fails:
                raise error
            return 7

        first, second = Unequal(), Unequal()
        assert [answer(first), answer(second)] == [7, 7]
        fails = True
        with pytest.raises(OSError) as raised:
            answer(second)
        assert raised.value is error


class TestObjectsThatOutliveACall:
    def test_a_result_that_was_given_up_on_may_come_again(self, world: World, clock: ManualClock) -> None:
        """An enum's member is one object for good: a note on it would be one on every later call."""
        empty = RetryBudget(ratio=0.0, min_per_second=0.0)
        pending = Flaky(0, value=Status.PENDING)
        broke = Retry("broke", on=OSError, results=lambda r: r is Status.PENDING, budget=empty)
        assert world.call(broke, pending) is Status.PENDING

        pending = Flaky(0, value=Status.PENDING)
        retry = Retry("rich", on=OSError, results=lambda r: r is Status.PENDING, backoff=Backoff(initial=0.0))
        with pytest.raises(Exception, match="3 attempts"):
            world.call(retry, pending)
        assert pending.calls == 3

    def test_an_exception_that_is_raised_again_by_a_later_call(
        self, world: World, clock: ManualClock
    ) -> None:
        """One instance for all failures, as a mock's ``side_effect`` has it."""
        error = OSError()
        retry = Retry("later", on=OSError, backoff=no_wait())
        for _ in range(2):
            flaky = Flaky(9, error=lambda: error)
            with pytest.raises(OSError):
                world.call(retry, flaky)
            assert flaky.calls == 3
