"""What a request remembers of calls that failed: those from which nothing around them has recovered."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

import pytest

from otel_resilience import ErrorChain, Fallback, Hop, Pipeline, Retry, RetryBudget, Timeout
from otel_resilience.context.request import MOST_FAILURES, Request
from otel_resilience.errors.adopt import attach
from otel_resilience.errors.failed_call import FailedCall, remember
from otel_resilience.policies.retry.backoff import Backoff
from tests.in_hand import request_in_hand
from tests.worlds import World

LEDGER = ErrorChain.of(Hop(service="ledger", code="DB_UNAVAILABLE"))


@pytest.fixture
def in_hand() -> Iterator[Request]:
    with request_in_hand() as current:
        yield current


def unguarded(code: str = "HTTP_503") -> None:
    """A client's call that nobody guards, and that failed."""
    remember(FailedCall(code=code, received=LEDGER))


def codes(current: Request) -> list[str]:
    return [failed.code for failed in current.failures]


def test_a_call_that_succeeds_has_recovered_from_what_failed_inside(world: World, in_hand: Request) -> None:
    world.call(Pipeline("recovers", Timeout(5.0)), unguarded)
    assert in_hand.failures == ()


def test_a_retry_that_succeeds_and_a_fallback_have_recovered_too(world: World, in_hand: Request) -> None:
    tries: list[int] = []

    def second_time() -> str:
        tries.append(1)
        unguarded()
        if len(tries) < 2:
            raise OSError
        return "well"

    retry = Retry(on=(OSError,), backoff=Backoff(initial=0.0, jitter="none"), budget=RetryBudget())
    assert world.call(Pipeline("retries", retry), second_time) == "well"
    world.call(Pipeline("falls.back", Fallback("something")), fails)
    assert in_hand.failures == ()


def fails() -> None:
    unguarded()
    raise KeyError("x")


def test_what_failed_before_and_beside_a_call_stays(world: World, in_hand: Request) -> None:
    unguarded("BEFORE")
    world.call(Pipeline("recovers", Timeout(5.0)), unguarded)
    assert codes(in_hand) == ["BEFORE"]


def test_a_call_that_fails_stands_for_what_failed_inside_and_brings_its_story(
    world: World, in_hand: Request
) -> None:
    with pytest.raises(KeyError):
        world.call(Pipeline("outer", Timeout(5.0)), fails)
    (told,) = in_hand.failures
    assert (told.code, told.received) == ("INTERNAL", LEDGER)


def test_its_own_story_goes_before(world: World, in_hand: Request) -> None:
    own = ErrorChain.of(Hop(service="stock", code="GONE"))

    def another_story() -> None:
        unguarded()
        error = KeyError("x")
        attach(error, own)
        raise error

    with pytest.raises(KeyError):
        world.call(Pipeline("outer", Timeout(5.0)), another_story)
    (told,) = in_hand.failures
    assert (told.received, told.others) == (own, 1)


async def test_what_failed_in_a_call_that_is_cancelled_has_failed_all_the_same(in_hand: Request) -> None:
    begun = asyncio.Event()

    async def waits() -> None:
        unguarded()
        begun.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(Pipeline("cancelled", Timeout(60.0)).acall(waits))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert codes(in_hand) == ["HTTP_503"]


async def test_siblings_know_nothing_of_each_other(in_hand: Request) -> None:
    """The first fails while the second is under way, whose success recovers from nothing of the first's."""
    failed, pipeline = asyncio.Event(), Pipeline("siblings", Timeout(5.0))

    async def first() -> None:
        failed.set()
        fails()

    results: list[Any] = await asyncio.gather(
        pipeline.acall(failed.wait), pipeline.acall(first), return_exceptions=True
    )
    assert [type(each) for each in results] == [bool, KeyError]
    assert len(in_hand.failures) == 1


def test_threads_of_one_request_lose_nothing(in_hand: Request) -> None:
    start = threading.Barrier(8)

    def fail_six_times() -> None:
        start.wait()
        for _ in range(6):
            with pytest.raises(KeyError):
                Pipeline("threads", Timeout(5.0)).call(fails)

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(copy_context().run, fail_six_times) for _ in range(8)]:
            done.result()
    assert len(in_hand.failures) == 48


def test_a_job_that_makes_a_million_of_them_keeps_the_last(in_hand: Request) -> None:
    for number in range(MOST_FAILURES + 10):
        unguarded(f"N_{number}")
    assert len(in_hand.failures) == MOST_FAILURES
    assert codes(in_hand)[-1] == f"N_{MOST_FAILURES + 9}"
