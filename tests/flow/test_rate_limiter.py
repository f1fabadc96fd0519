"""What a rate limiter lets pass, lets wait and refuses, for threads and for asyncio alike."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from otel_resilience import (
    ConfigurationError,
    DeadlineExceededError,
    Pipeline,
    RateLimitedError,
    RateLimiter,
    ServiceTimeoutError,
    Timeout,
)
from otel_resilience.context import deadline
from otel_resilience.events import ExecutionFinished, ExecutionRejected
from otel_resilience.outcome import Failure, Outcome
from otel_resilience.testing import ManualClock, Recorder
from tests.flow.flaky import Flaky
from tests.worlds import World


def rejections(seen: Recorder) -> list[tuple[str, str, bool]]:
    return [(each.policy_type, each.reason, each.enforced) for each in seen.of(ExecutionRejected)]


async def settle_down() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def nothing() -> str:
    return "done"


def test_a_call_too_many_is_refused_and_not_made(world: World, clock: ManualClock, seen: Recorder) -> None:
    limiter = RateLimiter("quota", rate=2.0)
    flaky = Flaky(0)
    for _ in range(2):
        world.call(limiter, flaky)
    with pytest.raises(RateLimitedError, match=r"rate limiter 'quota' lets 2 calls pass in 1 s") as caught:
        world.call(limiter, flaky)
    assert flaky.calls == 2
    assert (caught.value.error_code, caught.value.retryable) == ("RATE_LIMITED", False)
    assert caught.value.retry_after == pytest.approx(0.5)
    assert rejections(seen) == [("rate_limiter", "rate_limited", True)]
    assert [each.outcome for each in seen.of(ExecutionFinished)][-1] is Outcome.REJECTED
    clock.advance(0.5)
    assert world.call(limiter, flaky) == "done"


def test_failures_count_as_calls(world: World, clock: ManualClock) -> None:
    limiter = RateLimiter(rate=1.0)
    with pytest.raises(OSError):
        world.call(limiter, Flaky(1))
    with pytest.raises(RateLimitedError):
        world.call(limiter, Flaky(0))


def test_who_may_wait_waits_for_his_time(world: World, clock: ManualClock, seen: Recorder) -> None:
    limiter = RateLimiter(rate=4.0, burst=1, max_wait=0.25)
    began = clock.monotonic()
    made = [world.call(limiter, clock.monotonic) - began for _ in range(4)]
    assert made == pytest.approx([0.0, 0.25, 0.5, 0.75])
    assert (len(clock.slept), rejections(seen)) == (3, [])


def test_a_wait_that_the_deadline_does_not_allow_is_a_refusal_at_once(
    world: World, clock: ManualClock, seen: Recorder
) -> None:
    limiter = RateLimiter(rate=1.0, max_wait=60.0)
    world.call(limiter, Flaky(0))
    with pytest.raises(RateLimitedError) as caught:
        world.call(Pipeline("p", Timeout(0.5), limiter), Flaky(0))
    assert caught.value.retry_after == pytest.approx(1.0)
    assert clock.slept == []
    assert rejections(seen) == [("rate_limiter", "rate_limited", True)]


def test_a_wait_that_takes_too_long_ends_with_the_deadline(clock: ManualClock, monkeypatch: Any) -> None:
    """A thread that sleeps longer than it was told to must not begin after its deadline."""
    limiter = RateLimiter(rate=1.0, max_wait=60.0)
    limiter.call(Flaky(0))
    monkeypatch.setattr(clock, "sleep", lambda seconds: clock.advance(seconds + 5.0))
    never = Flaky(0)
    token = deadline.tighten(2.0)
    try:
        with pytest.raises(DeadlineExceededError):
            limiter.call(never)
        clock.advance(-0.0)
    finally:
        deadline.restore(token)
    with pytest.raises(ServiceTimeoutError):
        limiter.call(Flaky(0))
        Pipeline("p", Timeout(2.0), limiter).call(never)
    assert never.calls == 0


def test_a_timer_that_is_early_is_waited_for_again(clock: ManualClock, monkeypatch: Any) -> None:
    limiter = RateLimiter(rate=1.0, max_wait=1.0)
    limiter.call(Flaky(0))
    began = clock.monotonic()
    sleep = clock.sleep
    monkeypatch.setattr(clock, "sleep", lambda seconds: sleep(seconds * 0.9 if seconds > 0.01 else seconds))
    assert limiter.call(clock.monotonic) >= began + 1.0


def test_an_interrupted_wait_leaves_its_time_to_the_next(clock: ManualClock, monkeypatch: Any) -> None:
    limiter = RateLimiter(rate=1.0, max_wait=1.0)
    limiter.call(Flaky(0))
    began = clock.monotonic()

    def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(clock, "sleep", interrupted)
        limiter.call(Flaky(0))
    assert limiter.call(clock.monotonic) == pytest.approx(began + 1.0)


async def test_cancelled_waiters_leave_their_time_to_the_next() -> None:
    limiter = RateLimiter(rate=1.0, burst=1, max_wait=10.0)
    with ManualClock() as clock:
        await limiter.acall(nothing)
        waiting = [asyncio.ensure_future(limiter.acall(nothing)) for _ in range(5)]
        await settle_down()
        for task in waiting[1:]:
            task.cancel()
        await asyncio.wait(waiting[1:])
        last = asyncio.ensure_future(limiter.acall(nothing))
        await settle_down()
        clock.advance(1.0)
        assert await waiting[0] == "done"
        await settle_down()
        assert not last.done()
        clock.advance(1.0)
        assert await last == "done"


async def test_those_who_wait_pass_in_the_order_of_coming() -> None:
    limiter = RateLimiter(rate=1.0, burst=1, max_wait=10.0)
    order: list[tuple[int, float]] = []
    with ManualClock(0.0) as clock:

        async def work(number: int) -> None:
            order.append((number, clock.monotonic()))

        tasks = [asyncio.ensure_future(limiter.acall(work, number)) for number in range(4)]
        for _ in range(4):
            await settle_down()
            clock.advance(1.0)
        await asyncio.gather(*tasks)
    assert order == [(0, 0.0), (1, 1.0), (2, 2.0), (3, 3.0)]


async def test_a_block_waits_too() -> None:
    limiter = RateLimiter(rate=1.0, max_wait=1.0)
    with ManualClock(auto=True) as clock:
        began = clock.monotonic()
        with limiter:
            assert clock.monotonic() == began
        with limiter:
            assert clock.monotonic() == began + 1.0
        async with limiter:
            assert clock.monotonic() == began + 2.0


def test_a_stream_never_waits(clock: ManualClock, seen: Recorder) -> None:
    limiter = RateLimiter(rate=1.0, max_wait=5.0)
    limiter.call(Flaky(0))
    refused = limiter.park().refused
    assert isinstance(refused, Failure)
    assert isinstance(refused.error, RateLimitedError)
    assert refused.error.retry_after == pytest.approx(1.0)
    assert rejections(seen) == [("rate_limiter", "rate_limited", True)]
    clock.advance(1.0)
    assert limiter.park().refused is None


def test_shadow_counts_what_it_would_refuse_and_delays_nothing(
    world: World, clock: ManualClock, seen: Recorder
) -> None:
    shadow = Pipeline("p", RateLimiter(rate=1.0, max_wait=1.0), mode="shadow")
    for _ in range(4):
        assert world.call(shadow, Flaky(0)) == "done"
    assert clock.slept == []
    # The first passes, the second would wait, the others would be refused.
    assert rejections(seen) == [("rate_limiter", "rate_limited", False)] * 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rate": 0}, "RateLimiter rate must be a number > 0, got 0"),
        ({"rate": -1.0}, "RateLimiter rate must be a number >= 0, got -1.0"),
        ({"rate": float("nan")}, "RateLimiter rate must be a number >= 0, got nan"),
        ({"rate": "1"}, "RateLimiter rate must be a number >= 0, got '1'"),
        ({"rate": 1, "per": 0}, "RateLimiter per must be seconds > 0, got 0"),
        ({"rate": 1, "burst": 0}, "RateLimiter burst must be a whole number >= 1, got 0"),
        ({"rate": 1, "burst": 1.5}, "RateLimiter burst must be a whole number >= 1, got 1.5"),
        ({"rate": 1, "max_wait": -1}, "RateLimiter max_wait must be seconds >= 0, got -1"),
        (
            {"rate": 1e-300, "per": 1e300},
            "RateLimiter rate must be one at which a full burst takes a finite time",
        ),
        ({"rate": 1, "burst": 10**400}, "RateLimiter burst must be a whole number <= 9223372036854775807"),
        ({"rate": 1, "name": ""}, "RateLimiter name must be a text that is not empty, got ''"),
    ],
)
def test_a_bad_option_is_one_clear_error(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        RateLimiter(**options)


def test_a_missing_option_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="rate"):
        RateLimiter()  # type: ignore[call-arg]  # the point


@pytest.mark.parametrize(("rate", "burst"), [(0.5, 1), (1.0, 1), (2.9, 2), (100, 100)])
def test_the_burst_is_one_periods_worth(rate: float, burst: int) -> None:
    assert RateLimiter(rate=rate).options.capacity == burst
