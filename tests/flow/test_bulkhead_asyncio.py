"""Who waits for a bulkhead in a task: cancelled, timed out, on another event loop, behind a thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from otel_resilience import Bulkhead, BulkheadFullError, Pipeline, ServiceTimeoutError, Timeout
from otel_resilience.events import ExecutionFinished, ExecutionRejected
from otel_resilience.outcome import Outcome
from otel_resilience.testing import ManualClock, Recorder
from tests.flow.holder import Holder


async def settle_down() -> None:
    """Let every task go as far as it can."""
    for _ in range(20):
        await asyncio.sleep(0)


async def nothing() -> str:
    return "done"


async def test_who_waits_goes_on_in_the_order_of_coming() -> None:
    bulkhead = Bulkhead("b", max_concurrency=1, max_queue=5)
    holder = Holder(bulkhead)
    order: list[int] = []

    async def work(number: int) -> None:
        order.append(number)

    tasks = [asyncio.ensure_future(bulkhead.acall(work, number)) for number in range(5)]
    await settle_down()
    assert (order, bulkhead.waiting) == ([], 5)
    with pytest.raises(BulkheadFullError, match="is full: 1 calls run and 5 wait"):
        await bulkhead.acall(nothing)
    holder.end()
    await asyncio.gather(*tasks)
    assert order == [0, 1, 2, 3, 4]
    assert (bulkhead.running, bulkhead.waiting) == (0, 0)


async def test_nobody_who_comes_later_passes_by_those_who_wait() -> None:
    bulkhead = Bulkhead("b", max_concurrency=1, max_queue=5)
    holder = Holder(bulkhead)
    order: list[str] = []

    async def work(name: str) -> None:
        order.append(name)

    waits = asyncio.ensure_future(bulkhead.acall(work, "waits"))
    await settle_down()
    holder.end()  # granted, but its task has not run yet
    await asyncio.gather(waits, bulkhead.acall(work, "late"))
    assert order == ["waits", "late"]


async def test_cancelled_waiters_lose_no_permit() -> None:
    bulkhead = Bulkhead("b", max_concurrency=3, max_queue=100)
    holders = [Holder(bulkhead) for _ in range(3)]
    waiting = [asyncio.ensure_future(bulkhead.acall(nothing)) for _ in range(50)]
    await settle_down()
    for task in waiting[::2]:
        task.cancel()
    await settle_down()
    assert bulkhead.waiting == 25
    for holder in holders:
        holder.end()
    for task in waiting[1::4]:
        task.cancel()  # some of them have just been let in
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(result) for result in results} == {str, asyncio.CancelledError}
    assert (bulkhead.running, bulkhead.waiting) == (0, 0)
    assert await asyncio.gather(*(bulkhead.acall(nothing) for _ in range(103))) == ["done"] * 103


async def test_who_is_cancelled_in_the_moment_of_the_grant_hands_it_on() -> None:
    bulkhead = Bulkhead("b", max_concurrency=1, max_queue=2)
    holder = Holder(bulkhead)
    first = asyncio.ensure_future(bulkhead.acall(nothing))
    second = asyncio.ensure_future(bulkhead.acall(nothing))
    await settle_down()
    holder.end()
    first.cancel()
    assert await second == "done"
    with pytest.raises(asyncio.CancelledError):
        await first
    assert bulkhead.running == 0


async def test_a_cancelled_wait_is_neither_success_nor_failure(seen: Recorder) -> None:
    bulkhead = Bulkhead("b", max_concurrency=1, max_queue=2)
    Holder(bulkhead)
    waits = asyncio.ensure_future(bulkhead.acall(nothing))
    await settle_down()
    waits.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waits
    assert [each.outcome for each in seen.of(ExecutionFinished)] == [Outcome.CANCELLED]
    assert seen.of(ExecutionRejected) == []


@pytest.mark.parametrize("as_block", [False, True])
async def test_the_calls_own_timeout_ends_the_wait_as_a_timeout(as_block: bool, seen: Recorder) -> None:
    bulkhead = Bulkhead("b", max_concurrency=1, max_queue=2)
    Holder(bulkhead)
    pipeline = Pipeline("p", Timeout(2.0), bulkhead)

    async def block() -> None:
        async with pipeline:
            pytest.fail("ran")

    with ManualClock() as clock:
        waits = asyncio.ensure_future(block() if as_block else pipeline.acall(nothing))
        await settle_down()
        assert bulkhead.waiting == 1
        clock.advance(2.0)
        with pytest.raises(ServiceTimeoutError):
            await waits
        assert waits.cancelling() == 0
    assert bulkhead.waiting == 0
    assert [each.outcome for each in seen.of(ExecutionFinished)] == [Outcome.TIMEOUT]
    assert seen.of(ExecutionRejected) == []


async def test_max_wait_ends_the_wait_as_a_refusal() -> None:
    bulkhead = Bulkhead("b", max_concurrency=1, max_queue=2, max_wait=2.0)
    Holder(bulkhead)
    with ManualClock() as clock:
        waits = asyncio.ensure_future(Pipeline("p", Timeout(3.0), bulkhead).acall(nothing))
        await settle_down()
        clock.advance(1.999)
        await settle_down()
        assert bulkhead.waiting == 1
        clock.advance(0.001)
        with pytest.raises(BulkheadFullError):
            await waits
    assert bulkhead.waiting == 0


async def test_a_block_waits_in_its_task_and_is_cancelled_in_it() -> None:
    bulkhead = Bulkhead("b", max_concurrency=1, max_queue=2)
    holder = Holder(bulkhead)
    ran: list[int] = []

    async def block(number: int) -> None:
        async with bulkhead:
            assert bulkhead.running == 1
            ran.append(number)

    first, second = (asyncio.ensure_future(block(number)) for number in range(2))
    await settle_down()
    first.cancel()
    await settle_down()
    holder.end()
    await second
    with pytest.raises(asyncio.CancelledError):
        await first
    assert (ran, bulkhead.running, bulkhead.waiting) == ([1], 0, 0)


async def test_a_child_task_of_a_call_waits_once_the_call_is_over() -> None:
    bulkhead = Bulkhead("b", max_concurrency=1, max_queue=2)
    children: list[asyncio.Task[str]] = []
    over = asyncio.Event()

    async def child() -> str:
        await over.wait()
        return await bulkhead.acall(nothing)

    async def parent() -> None:
        with pytest.raises(BulkheadFullError):  # the parent may wait for it, and it for the parent
            await asyncio.ensure_future(bulkhead.acall(nothing))
        children.append(asyncio.ensure_future(child()))

    await bulkhead.acall(parent)
    holder = Holder(bulkhead)
    over.set()
    await settle_down()
    assert bulkhead.waiting == 1
    holder.end()
    assert await children[0] == "done"


def in_thread(work: Callable[[], object]) -> tuple[threading.Thread, list[object]]:
    results: list[object] = []
    thread = threading.Thread(target=lambda: results.append(work()))
    thread.start()
    return thread, results


def until(condition: Callable[[], bool]) -> None:
    waiting = threading.Event()
    for _ in range(10_000):
        if condition():
            return
        waiting.wait(0.001)
    pytest.fail("never came to be")


def test_two_event_loops_and_a_thread_share_one_in_the_order_of_coming() -> None:
    bulkhead = Bulkhead("b", max_concurrency=1, max_queue=9)
    holder = Holder(bulkhead)
    order: list[str] = []

    async def work(name: str) -> None:
        order.append(name)
        await asyncio.sleep(0)

    starts: list[Callable[[], object]] = [
        lambda: asyncio.run(bulkhead.acall(work, "loop 1")),
        lambda: bulkhead.call(order.append, "thread"),
        lambda: asyncio.run(bulkhead.acall(work, "loop 2")),
    ]
    threads = []
    for number, start in enumerate(starts, 1):
        threads.append(in_thread(start)[0])
        until(lambda number=number: bulkhead.waiting == number)  # type: ignore[misc]  # bound at once
    holder.end()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    assert order == ["loop 1", "thread", "loop 2"]
    assert (bulkhead.running, bulkhead.waiting) == (0, 0)


def test_a_waiter_whose_event_loop_is_closed_is_passed_over() -> None:
    bulkhead = Bulkhead("b", max_concurrency=1, max_queue=9)
    holder = Holder(bulkhead)
    loop = asyncio.new_event_loop()
    abandoned = loop.create_task(bulkhead.acall(nothing))
    loop.run_until_complete(asyncio.sleep(0))
    loop.run_until_complete(asyncio.sleep(0))
    assert bulkhead.waiting == 1
    loop.close()
    thread, results = in_thread(lambda: bulkhead.call(lambda: "done"))
    until(lambda: bulkhead.waiting == 2)
    holder.end()
    thread.join(30)
    assert results == ["done"]
    assert (bulkhead.running, bulkhead.waiting) == (0, 0)
    abandoned._log_destroy_pending = False  # type: ignore[attr-defined]  # that it is pending is the point
    abandoned.get_coro().close()  # type: ignore[union-attr]  # else the collector does, in the midst of another test
