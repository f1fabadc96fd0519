"""Something to go on with in the place of a failure."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from otel_resilience import (
    CircuitBreaker,
    CircuitOpenError,
    ConfigurationError,
    Fallback,
    Pipeline,
    Timeout,
)
from otel_resilience.events import ExecutionFinished, FallbackExecuted
from otel_resilience.outcome import Outcome
from otel_resilience.policies.fallback.last_good import MAX_KEPT
from otel_resilience.testing import ManualClock, Recorder
from tests.flow.flaky import Flaky
from tests.worlds import World


def test_a_value_stands_in_for_a_failure(world: World, seen: Recorder) -> None:
    assert world.call(Pipeline("p", Fallback("old")), Flaky(1)) == "old"
    assert [f.outcome for f in seen.of(ExecutionFinished)] == [Outcome.FALLBACK]
    assert [f.error_type for f in seen.of(ExecutionFinished)] == [None]
    [executed] = seen.of(FallbackExecuted)
    assert (executed.outcome, executed.enforced, executed.error_type) == (Outcome.FALLBACK, True, "OSError")


def test_a_success_is_left_as_it_is(world: World, seen: Recorder) -> None:
    assert world.call(Pipeline("p", Fallback("old")), Flaky(0)) == "done"
    assert seen.of(FallbackExecuted) == []


def test_a_function_gets_the_very_exception(world: World) -> None:
    error = OSError("down")

    def fail() -> None:
        raise error

    assert world.call(Pipeline("p", Fallback(lambda caught: caught)), fail) is error


async def test_what_the_function_gives_is_awaited_in_asyncio() -> None:
    async def help_out(error: BaseException) -> str:
        await asyncio.sleep(0)
        return f"after {error}"

    assert await Pipeline("p", Fallback(help_out)).acall(Flaky(1, error=lambda: OSError("x"))) == "after x"


def test_an_awaitable_in_a_thread_is_a_clear_error() -> None:
    async def help_out(error: BaseException) -> str:
        return "never"

    with pytest.raises(TypeError, match="use acall"):
        Pipeline("p", Fallback(help_out)).call(Flaky(1))


def test_only_what_it_is_on_is_replaced(world: World) -> None:
    guard = Pipeline("p", Fallback("old", on=KeyError))
    with pytest.raises(OSError):
        world.call(guard, Flaky(1))
    assert world.call(guard, Flaky(1, error=KeyError)) == "old"
    assert (
        world.call(
            Pipeline("p", Fallback(1, on=lambda e: "x" in str(e))), Flaky(1, error=lambda: OSError("x"))
        )
        == 1
    )


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_those_who_leave_are_let_go(error: type[BaseException]) -> None:
    with pytest.raises(error):
        Pipeline("p", Fallback("old", on=BaseException)).call(Flaky(1, error=error))


async def test_a_cancellation_is_not_replaced() -> None:
    pending = asyncio.ensure_future(Pipeline("p", Fallback("old", on=BaseException)).acall(asyncio.sleep, 60))
    await asyncio.sleep(0)
    pending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await pending


def test_a_rejection_is_replaced_by_default(world: World) -> None:
    breaker = CircuitBreaker()
    breaker.force_open()
    caught: list[BaseException] = []

    def note(error: BaseException) -> str:
        caught.append(error)
        return "old"

    assert world.call(Pipeline("p", Fallback(note), breaker), Flaky(0)) == "old"
    assert [type(error) for error in caught] == [CircuitOpenError]


def test_a_late_result_is_returned_and_never_replaced(clock: ManualClock, seen: Recorder) -> None:
    def slow() -> str:
        clock.advance(3.0)
        return "late"

    assert Pipeline("p", Fallback("old"), Timeout(1.0)).call(slow) == "late"
    assert [f.outcome for f in seen.of(ExecutionFinished)] == [Outcome.TIMEOUT]


def test_a_fallback_that_fails_raises_its_own_and_remembers_the_first(world: World, seen: Recorder) -> None:
    first, second = OSError("first"), KeyError("second")

    def fail() -> None:
        raise first

    def fail_too(error: BaseException) -> None:
        raise second

    with pytest.raises(KeyError) as caught:
        world.call(Pipeline("p", Fallback(fail_too)), fail)
    assert caught.value is second
    assert caught.value.__context__ is first
    assert [f.outcome for f in seen.of(FallbackExecuted)] == [Outcome.FAILURE]


def test_a_fallback_that_raises_what_it_got_changes_nothing(world: World, seen: Recorder) -> None:
    error = OSError()

    def fail() -> None:
        raise error

    def give_up(error: BaseException) -> None:
        raise error

    with pytest.raises(OSError) as caught:
        world.call(Pipeline("p", Fallback(give_up)), fail)
    assert caught.value is error
    assert caught.value.__context__ is None
    assert seen.of(FallbackExecuted) == []


def test_in_shadow_the_failure_stays_and_is_counted(world: World, seen: Recorder) -> None:
    asked: list[BaseException] = []
    with pytest.raises(OSError):
        world.call(Pipeline("p", Fallback(asked.append), mode="shadow"), Flaky(1))
    assert asked == []
    assert [(f.outcome, f.enforced) for f in seen.of(FallbackExecuted)] == [(Outcome.FAILURE, False)]


def test_a_stale_fallback_is_none_of_the_next_call(world: World, seen: Recorder) -> None:
    guard = Pipeline("p", Fallback("old"))
    flaky = Flaky(1)
    assert [world.call(guard, flaky), world.call(guard, flaky)] == ["old", "done"]
    assert [f.outcome for f in seen.of(ExecutionFinished)] == [Outcome.FALLBACK, Outcome.SUCCESS]


class Accounts:
    """Answers from a table, or fails while it is down."""

    def __init__(self) -> None:
        self.down = False
        self.balance = 10

    def __call__(self, account: Any, *, currency: str = "EUR") -> str:
        if self.down:
            raise OSError
        return f"{account}: {self.balance} {currency}"

    def balance_of(self, account: int) -> int:
        self(account)
        return self.balance

    def entries_of(self, account: int) -> Iterator[int]:
        self(account)
        yield self.balance


def test_the_last_good_value_is_that_of_the_same_arguments(clock: ManualClock) -> None:
    guard, accounts = Fallback.last_good(), Accounts()
    assert guard.call(accounts, 7) == "7: 10 EUR"
    assert guard.call(accounts, 8, currency="CHF") == "8: 10 CHF"
    accounts.down = True
    assert guard.call(accounts, 7) == "7: 10 EUR"
    assert guard.call(accounts, 8, currency="CHF") == "8: 10 CHF"
    for other in ((8,), (9,), (7.0,), ([7],)):
        with pytest.raises(OSError):
            guard.call(accounts, *other)


async def test_the_last_good_value_is_that_of_the_same_function() -> None:
    """One guard is used for many functions: the answer of one is none for another's question."""
    guard, accounts, owners = Pipeline("ledger", Fallback.last_good()), Accounts(), Accounts()
    assert guard.call(accounts, 7) == "7: 10 EUR"
    assert guard(accounts.balance_of)(7) == 10
    owners.down = accounts.down = True
    with pytest.raises(OSError):
        guard.call(owners, 7)
    with pytest.raises(OSError):
        await guard.acall(owners, 7)
    with pytest.raises(OSError):
        list(guard(owners.entries_of)(7))
    assert guard(accounts.balance_of)(7) == 10, "a method of the same object, however often it is looked up"


def test_what_is_not_known_to_be_the_same_question_is_not_remembered() -> None:
    """As a client's request is, of which the guard knows no arguments."""
    guard = Fallback.last_good()
    assert guard.execute(lambda: "of one request") == "of one request"
    with pytest.raises(OSError):
        guard.execute(Flaky(1))


def test_the_last_good_value_grows_too_old(clock: ManualClock) -> None:
    guard, accounts = Fallback.last_good(max_age=60.0), Accounts()
    guard.call(accounts, 7)
    accounts.down = True
    clock.advance(60.0)
    assert guard.call(accounts, 7) == "7: 10 EUR"
    clock.advance(0.1)
    with pytest.raises(OSError):
        guard.call(accounts, 7)


def test_last_good_values_are_bounded(clock: ManualClock) -> None:
    guard, accounts = Fallback.last_good(), Accounts()
    for account in range(MAX_KEPT + 1):
        guard.call(accounts, account)
    accounts.down = True
    assert guard.call(accounts, MAX_KEPT) == f"{MAX_KEPT}: 10 EUR"
    with pytest.raises(OSError):
        guard.call(accounts, 0)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Fallback(1, on="x"), "Fallback on must be exception types or a predicate, got 'x'"),
        (lambda: Fallback(1, on=()), "Fallback on must be exception types"),
        (lambda: Fallback.last_good(max_age=0), "Fallback max_age must be seconds > 0, got 0"),
    ],
)
def test_bad_options(build: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        build()


def test_a_block_cannot_be_given_another_result() -> None:
    with pytest.raises(TypeError, match="cannot guard a block"), Fallback(1):
        pass
