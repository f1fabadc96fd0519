"""What a breaker must survive: stampedes, probes that never end, late results, forks, recursion, two loops."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from otel_resilience import BreakerState, CircuitBreaker, CircuitOpenError, Pipeline, Timeout
from otel_resilience.events import CircuitStateChanged, Event, ExecutionRejected
from otel_resilience.listener import LISTENERS
from otel_resilience.policies.circuit_breaker import probing
from otel_resilience.testing import Draws, ManualClock, Recorder
from tests.flow.flaky import Flaky
from tests.worlds import World


@pytest.fixture(autouse=True)
def no_spread() -> Iterator[None]:
    with Draws([0.0]):
        yield


def opened(world: World, **options: object) -> CircuitBreaker:
    breaker = CircuitBreaker(**({"failure_threshold": 1, "recovery_timeout": 10.0} | options))  # type: ignore[arg-type]  # spelled by each test
    with pytest.raises(OSError):
        world.call(breaker, Flaky(1))
    assert breaker.state is BreakerState.OPEN
    return breaker


async def test_never_more_probes_than_permitted_under_a_thousand_tasks() -> None:
    breaker = CircuitBreaker(
        failure_threshold=1, recovery_timeout=10.0, half_open_max_concurrency=3, half_open_successes=3
    )
    inside = most = calls = 0
    finish = asyncio.Event()

    async def probe() -> None:
        nonlocal inside, most, calls
        calls += 1
        inside += 1
        most = max(most, inside)
        await finish.wait()
        inside -= 1

    with ManualClock() as clock, Recorder() as seen:
        with pytest.raises(OSError):
            await breaker.acall(Flaky(1))
        clock.advance(10.0)
        tasks = [asyncio.ensure_future(breaker.acall(probe)) for _ in range(1_000)]
        await asyncio.sleep(0)
        assert inside == 3
        finish.set()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert (most, calls) == (3, 3)
    assert sum(isinstance(end, CircuitOpenError) for end in ends) == 997
    assert {event.reason for event in seen.of(ExecutionRejected)} == {"half_open_limit"}
    assert breaker.state is BreakerState.CLOSED


async def test_a_probe_that_never_returns_holds_the_circuit_for_its_lease_alone() -> None:
    breaker = CircuitBreaker(failure_threshold=1, recovery_timeout=10.0, probe_lease_seconds=5.0)
    with ManualClock() as clock:
        with pytest.raises(OSError):
            await breaker.acall(Flaky(1))
        clock.advance(10.0)
        hung = asyncio.ensure_future(breaker.acall(asyncio.Event().wait))
        await asyncio.sleep(0)
        with pytest.raises(CircuitOpenError) as caught:
            await breaker.acall(Flaky(0))
        assert caught.value.retry_after == pytest.approx(5.0)
        clock.advance(5.0)
        with pytest.raises(CircuitOpenError):
            await breaker.acall(Flaky(0))
        assert breaker.state is BreakerState.OPEN
        clock.advance(10.0)
        await breaker.acall(Flaky(0))
        assert breaker.state is BreakerState.CLOSED
        hung.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hung
        assert breaker.snapshot().failures == 0


async def test_a_cancelled_probe_gives_its_place_back_and_says_nothing() -> None:
    breaker = CircuitBreaker(failure_threshold=1, recovery_timeout=10.0)
    with ManualClock() as clock:
        with pytest.raises(OSError):
            await breaker.acall(Flaky(1))
        clock.advance(10.0)
        for _ in range(5):
            probe = asyncio.ensure_future(breaker.acall(asyncio.Event().wait))
            await asyncio.sleep(0)
            probe.cancel()
            with pytest.raises(asyncio.CancelledError):
                await probe
            assert breaker.state is BreakerState.HALF_OPEN
        await breaker.acall(Flaky(0))
    assert breaker.state is BreakerState.CLOSED


async def test_a_late_result_of_an_earlier_generation_counts_for_nothing() -> None:
    breaker = CircuitBreaker(failure_threshold=1, recovery_timeout=10.0)
    release = asyncio.Event()

    async def slow_failure() -> None:
        await release.wait()
        raise OSError

    with ManualClock() as clock:
        overhanging = asyncio.ensure_future(breaker.acall(slow_failure))
        await asyncio.sleep(0)
        with pytest.raises(OSError):
            await breaker.acall(Flaky(1))
        clock.advance(10.0)
        await breaker.acall(Flaky(0))
        release.set()
        with pytest.raises(OSError):
            await overhanging
    assert breaker.state is BreakerState.CLOSED
    assert breaker.snapshot().failure_ratio == 0.0


@pytest.mark.parametrize(("slow", "state"), [(None, BreakerState.CLOSED), (2.0, BreakerState.OPEN)])
async def test_a_cancelled_call_is_judged_by_the_shorter_patience(
    slow: float | None, state: BreakerState
) -> None:
    breaker = CircuitBreaker(failure_threshold=1, hang_seconds=5.0, slow_call_seconds=slow)
    with ManualClock() as clock:
        pending = asyncio.ensure_future(breaker.acall(asyncio.Event().wait))
        await asyncio.sleep(0)
        clock.advance(2.0)
        pending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await pending
    assert breaker.state is state


async def test_a_hung_dependency_behind_an_outer_asyncio_timeout_opens_the_circuit() -> None:
    breaker = CircuitBreaker(failure_threshold=3, hang_seconds=5.0)
    with ManualClock() as clock:

        async def hang() -> None:
            clock.advance(5.0)
            await asyncio.Event().wait()

        for _ in range(3):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.001):
                    await breaker.acall(hang)
    assert breaker.state is BreakerState.OPEN


def test_a_result_that_comes_after_our_own_timeout_is_a_failure(clock: ManualClock) -> None:
    breaker = CircuitBreaker(failure_rate=1.0, minimum_calls=1)
    Pipeline("p", Timeout(1.0), breaker).call(lambda: clock.advance(1.5))
    assert breaker.state is BreakerState.OPEN


def test_a_function_that_calls_itself_is_one_probe(world: World, clock: ManualClock) -> None:
    breaker = opened(world)
    clock.advance(10.0)
    depths = []

    def descend(depth: int = 3) -> None:
        depths.append(depth)
        if depth:
            breaker.call(descend, depth - 1)

    world.call(breaker, descend)
    assert depths == [3, 2, 1, 0]
    assert breaker.state is BreakerState.CLOSED


async def test_what_outlives_its_probe_has_no_place_in_the_next_one() -> None:
    breaker = CircuitBreaker(failure_threshold=1, recovery_timeout=10.0, half_open_successes=2)
    later = asyncio.Event()

    async def straggler() -> None:
        await later.wait()
        await breaker.acall(Flaky(0))

    async def probe() -> asyncio.Task[None]:
        return asyncio.ensure_future(straggler())

    with ManualClock() as clock:
        with pytest.raises(OSError):
            await breaker.acall(Flaky(1))
        clock.advance(10.0)
        task = await breaker.acall(probe)
        held = asyncio.ensure_future(breaker.acall(asyncio.Event().wait))
        await asyncio.sleep(0)
        later.set()
        with pytest.raises(CircuitOpenError):
            await task
        held.cancel()
        with pytest.raises(asyncio.CancelledError):
            await held
    assert probing._probes.get() == ()


@pytest.mark.parametrize("raises", [True, False])
def test_a_listener_that_calls_back_or_raises(world: World, clock: ManualClock, raises: bool) -> None:
    breaker = CircuitBreaker(failure_threshold=1)
    heard: list[Event] = []

    def listener(event: Event) -> None:
        heard.append(event)
        breaker.snapshot()
        if isinstance(event, CircuitStateChanged):
            breaker.reset()
            if raises:
                raise RuntimeError("a listener's own bug")

    LISTENERS.add(listener)
    try:
        with pytest.raises(OSError):
            world.call(breaker, Flaky(1))
    finally:
        LISTENERS.remove(listener)
    assert breaker.state is BreakerState.CLOSED
    assert len([event for event in heard if isinstance(event, CircuitStateChanged)]) == 1


def test_two_event_loops_share_one_breaker() -> None:
    breaker = CircuitBreaker(failure_threshold=10**6)

    def work() -> None:
        async def main() -> None:
            async def turn() -> None:
                await asyncio.sleep(0)

            await asyncio.gather(*(breaker.acall(turn) for _ in range(300)))

        asyncio.run(main())

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert breaker.snapshot().successes == 600


def test_reading_changes_nothing(world: World, clock: ManualClock) -> None:
    breaker = opened(world)
    clock.advance(1e6)
    before = breaker.snapshot()
    assert (breaker.state, breaker.tally().calls, breaker.idle) == (BreakerState.OPEN, 1, True)
    assert breaker.snapshot() == before


def test_a_step_of_the_wall_clock_changes_nothing(world: World) -> None:
    class Stepping(ManualClock):
        """Each look at the wall finds another year."""

        steps = 0

        def wall(self) -> float:
            self.steps += 1
            return (-1) ** self.steps * 1e9

    with Stepping(auto=True) as clock:
        breaker = opened(world, window_seconds=5.0, recovery_timeout=10.0)
        assert breaker.snapshot().retry_after == pytest.approx(10.0)
        clock.advance(9.9)
        with pytest.raises(CircuitOpenError):
            world.call(breaker, Flaky(0))
        clock.advance(0.1)
        world.call(breaker, Flaky(0))
        assert breaker.state is BreakerState.CLOSED
