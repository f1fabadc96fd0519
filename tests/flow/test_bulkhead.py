"""Who passes a bulkhead, who waits, and who is refused, for threads and for asyncio alike."""

from __future__ import annotations

import gc
from typing import Any

import pytest

from otel_resilience import (
    Bulkhead,
    BulkheadFullError,
    DeadlineExceededError,
    Pipeline,
    ServiceTimeoutError,
    Timeout,
)
from otel_resilience.context import deadline
from otel_resilience.events import Event, ExecutionFinished, ExecutionRejected
from otel_resilience.outcome import Failure, Outcome
from otel_resilience.testing import ManualClock, Recorder
from tests.flow.flaky import Flaky
from tests.flow.holder import Holder
from tests.worlds import World


def rejections(seen: Recorder) -> list[tuple[str, str, bool]]:
    return [(each.policy_type, each.reason, each.enforced) for each in seen.of(ExecutionRejected)]


def test_a_full_bulkhead_refuses_and_does_not_call(world: World, clock: ManualClock, seen: Recorder) -> None:
    bulkhead = Bulkhead("ledger", max_concurrency=1)
    holder = Holder(bulkhead)
    never = Flaky(0)
    with pytest.raises(BulkheadFullError, match="bulkhead 'ledger' is full: 1 calls run") as caught:
        world.call(bulkhead, never)
    assert (never.calls, bulkhead.running, bulkhead.waiting) == (0, 1, 0)
    assert (caught.value.error_code, caught.value.retryable, caught.value.retry_after) == (
        "BULKHEAD_FULL",
        False,
        None,
    )
    assert rejections(seen) == [("bulkhead", "bulkhead_full", True)]
    assert [each.outcome for each in seen.of(ExecutionFinished)] == [Outcome.REJECTED]
    holder.end()
    assert world.call(bulkhead, never) == "done"
    assert bulkhead.running == 0


@pytest.mark.parametrize(
    "error",
    [OSError, KeyboardInterrupt, SystemExit, GeneratorExit, lambda: BaseExceptionGroup("g", [OSError()])],
)
def test_a_permit_comes_back_whatever_ends_the_call(error: Any) -> None:
    bulkhead = Bulkhead("b", max_concurrency=1)
    with pytest.raises(BaseException):  # noqa: B017 — whatever it is
        bulkhead.call(Flaky(1, error=error))
    assert bulkhead.running == 0


def test_who_waits_goes_on_when_another_call_ends(clock: ManualClock, seen: Recorder) -> None:
    bulkhead = Bulkhead("b", max_concurrency=1, max_queue=1, max_wait=5.0)
    holder = Holder(bulkhead)
    began = clock.monotonic()
    clock.call_later(2.0, holder.end)
    assert bulkhead.call(clock.monotonic) == began + 2.0
    assert (bulkhead.running, bulkhead.waiting, rejections(seen)) == (0, 0, [])


def test_nobody_waits_longer_than_max_wait(world: World, clock: ManualClock, seen: Recorder) -> None:
    bulkhead = Bulkhead("b", max_concurrency=1, max_queue=1, max_wait=5.0)
    Holder(bulkhead)
    began = clock.monotonic()
    with pytest.raises(BulkheadFullError):
        world.call(bulkhead, Flaky(0))
    assert clock.monotonic() == pytest.approx(began + 5.0)
    assert (bulkhead.running, bulkhead.waiting) == (1, 0)
    assert rejections(seen) == [("bulkhead", "bulkhead_full", True)]


def test_max_wait_zero_never_waits(world: World, clock: ManualClock) -> None:
    bulkhead = Bulkhead("b", max_concurrency=1, max_queue=9, max_wait=0.0)
    Holder(bulkhead)
    with pytest.raises(BulkheadFullError):
        world.call(bulkhead, Flaky(0))
    assert bulkhead.waiting == 0


@pytest.mark.parametrize("max_wait", [None, 60.0])
def test_an_inherited_deadline_that_passes_in_the_row_is_a_refusal(
    world: World, clock: ManualClock, seen: Recorder, max_wait: float | None
) -> None:
    bulkhead = Bulkhead("b", max_concurrency=1, max_queue=1, max_wait=max_wait)
    Holder(bulkhead)
    began = clock.monotonic()
    token = deadline.tighten(2.0)
    try:
        with pytest.raises(
            DeadlineExceededError, match="its deadline had passed before bulkhead 'b' had room"
        ):
            world.call(bulkhead, Flaky(0))
    finally:
        deadline.restore(token)
    assert clock.monotonic() == pytest.approx(began + 2.0)
    assert rejections(seen) == [("bulkhead", "deadline_exceeded", True)]
    assert [each.outcome for each in seen.of(ExecutionFinished)] == [Outcome.REJECTED]
    assert bulkhead.waiting == 0


def test_the_calls_own_timeout_ends_the_wait_as_a_timeout(clock: ManualClock, seen: Recorder) -> None:
    bulkhead = Bulkhead("b", max_concurrency=1, max_queue=1)
    Holder(bulkhead)
    with pytest.raises(ServiceTimeoutError) as caught:
        Pipeline("p", Timeout(2.0), bulkhead).call(Flaky(0))
    assert isinstance(caught.value.__cause__, DeadlineExceededError)
    assert rejections(seen) == []
    assert [each.outcome for each in seen.of(ExecutionFinished)] == [Outcome.TIMEOUT]
    assert bulkhead.waiting == 0


def test_a_permit_that_comes_with_the_end_of_the_time_is_not_used(clock: ManualClock) -> None:
    bulkhead = Bulkhead("b", max_concurrency=1, max_queue=1)
    holder = Holder(bulkhead)
    never = Flaky(0)

    def late() -> None:
        clock.advance(1.0)  # the waker itself was slow
        holder.end()

    clock.call_later(1.5, late)
    with pytest.raises(ServiceTimeoutError):
        Pipeline("p", Timeout(2.0), bulkhead).call(never)
    assert (never.calls, bulkhead.running, bulkhead.waiting) == (0, 0, 0)


def test_a_wait_that_is_interrupted_loses_no_permit(clock: ManualClock, monkeypatch: Any) -> None:
    bulkhead = Bulkhead("b", max_concurrency=1, max_queue=1)
    holder = Holder(bulkhead)

    def interrupted(event: object, seconds: float | None) -> None:
        holder.end()  # granted, and interrupted in the same moment
        raise KeyboardInterrupt

    monkeypatch.setattr(clock, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        bulkhead.call(Flaky(0))
    assert (bulkhead.running, bulkhead.waiting) == (0, 0)


def test_a_call_inside_a_call_never_waits_for_itself(world: World, clock: ManualClock) -> None:
    bulkhead = Bulkhead("b", max_concurrency=1, max_queue=5)

    def outer() -> object:
        with pytest.raises(BulkheadFullError):
            bulkhead.call(Flaky(0))
        return "outer"

    assert world.call(bulkhead, outer) == "outer"
    assert (bulkhead.running, bulkhead.waiting) == (0, 0)


def test_a_call_inside_a_call_runs_where_there_is_room() -> None:
    bulkhead = Bulkhead("b", max_concurrency=2)
    assert bulkhead.call(lambda: bulkhead.call(lambda: bulkhead.running)) == 2
    assert bulkhead.running == 0


def test_after_a_call_the_same_thread_waits_again(clock: ManualClock) -> None:
    bulkhead = Bulkhead("b", max_concurrency=1, max_queue=1, max_wait=5.0)
    bulkhead.call(Flaky(0))
    holder = Holder(bulkhead)
    clock.call_later(1.0, holder.end)
    assert bulkhead.call(Flaky(0)) == "done"


def test_a_stream_never_waits(clock: ManualClock, seen: Recorder) -> None:
    bulkhead = Bulkhead("b", max_concurrency=1, max_queue=5)
    holder = Holder(bulkhead)
    refused = bulkhead.park().refused
    assert isinstance(refused, Failure)
    assert isinstance(refused.error, BulkheadFullError)
    assert rejections(seen) == [("bulkhead", "bulkhead_full", True)]
    assert (bulkhead.running, bulkhead.waiting) == (1, 0)
    holder.end()
    assert bulkhead.park().refused is None


def test_a_stream_that_is_forgotten_gives_its_permit_back() -> None:
    bulkhead = Bulkhead("b", max_concurrency=1)
    parked = bulkhead.park()
    assert bulkhead.running == 1
    del parked
    gc.collect()
    assert bulkhead.running == 0


def test_a_block_waits_too(clock: ManualClock) -> None:
    bulkhead = Bulkhead("b", max_concurrency=1, max_queue=1)
    holder = Holder(bulkhead)
    began = clock.monotonic()
    clock.call_later(3.0, holder.end)
    with bulkhead:
        assert clock.monotonic() == began + 3.0
        assert bulkhead.running == 1
    assert bulkhead.running == 0


def test_a_block_that_may_not_run_raises(clock: ManualClock) -> None:
    bulkhead = Bulkhead("b", max_concurrency=1, max_queue=1, max_wait=1.0)
    Holder(bulkhead)
    with pytest.raises(BulkheadFullError), bulkhead:
        pytest.fail("ran")
    with pytest.raises(ServiceTimeoutError), Pipeline("p", Timeout(0.5), bulkhead):
        pytest.fail("ran")
    assert (bulkhead.running, bulkhead.waiting) == (1, 0)


def test_a_listener_may_call_through_the_bulkhead(clock: ManualClock) -> None:
    bulkhead = Bulkhead("b", max_concurrency=1)
    inside: list[object] = []

    def listener(event: Event) -> None:
        if isinstance(event, ExecutionFinished):
            inside.append(bulkhead.call(lambda: "from the listener"))

    from otel_resilience.listener import LISTENERS

    LISTENERS.add(listener)
    try:
        bulkhead.call(Flaky(0))
    finally:
        LISTENERS.remove(listener)
    assert inside == ["from the listener"]
    assert bulkhead.running == 0


def test_a_call_that_the_garbage_collector_ends_never_waits_for_the_lock(clock: ManualClock) -> None:
    bulkhead = Bulkhead("b", max_concurrency=1, max_queue=1)
    holder = Holder(bulkhead)
    with bulkhead._lock:  # as if the collector ran in the midst of an admission
        holder.end()
        gc.collect()
    # The next call finds the permit that came back; one that had the lock sees to it right away.
    assert [bulkhead.call(Flaky(0)) for _ in range(2)] == ["done"] * 2
    assert bulkhead.running == 0


def test_ten_thousand_rejections_leave_no_growing_traceback() -> None:
    bulkhead = Bulkhead("b", max_concurrency=1)
    Holder(bulkhead)
    depths = set()
    for _ in range(10_000):
        try:
            bulkhead.call(lambda: None)
        except BulkheadFullError as error:
            at, depth = error.__traceback__, 0
            while at is not None:
                at, depth = at.tb_next, depth + 1
            depths.add(depth)
    assert len(depths) == 1


class TestShadow:
    """Decides, counts and announces; never blocks, delays or refuses."""

    def test_what_would_be_refused_passes(self, world: World, clock: ManualClock, seen: Recorder) -> None:
        bulkhead = Bulkhead(max_concurrency=1)
        shadow = Pipeline("p", bulkhead, mode="shadow")
        holder = Holder(shadow)
        assert world.call(shadow, Flaky(0)) == "done"
        assert rejections(seen) == [("bulkhead", "bulkhead_full", False)]
        assert bulkhead.running == 1
        holder.end()
        assert bulkhead.running == 0

    def test_what_would_wait_passes_at_once_and_is_counted_as_waiting(
        self, world: World, clock: ManualClock, seen: Recorder
    ) -> None:
        bulkhead = Bulkhead(max_concurrency=1, max_queue=1, max_wait=1.0)
        shadow = Pipeline("p", bulkhead, mode="shadow")
        holder = Holder(shadow)
        began = clock.monotonic()
        assert world.call(shadow, lambda: (clock.monotonic(), bulkhead.running, bulkhead.waiting)) == (
            began,
            1,
            1,
        )
        assert (bulkhead.running, bulkhead.waiting) == (1, 0)
        assert rejections(seen) == []
        holder.end()

    def test_what_would_have_waited_too_long_is_counted_as_refused(
        self, world: World, clock: ManualClock, seen: Recorder
    ) -> None:
        bulkhead = Bulkhead(max_concurrency=1, max_queue=1, max_wait=1.0)
        shadow = Pipeline("p", bulkhead, mode="shadow")
        Holder(shadow)
        world.call(shadow, lambda: clock.advance(1.0))
        assert rejections(seen) == [("bulkhead", "bulkhead_full", False)]
        assert (bulkhead.running, bulkhead.waiting) == (1, 0)
