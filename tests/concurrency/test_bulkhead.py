"""Many threads and many tasks in one bulkhead and one limiter: never too many, and nothing lost."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections import Counter
from collections.abc import Iterator

import pytest

from otel_resilience import Bulkhead, BulkheadFullError, RateLimitedError, RateLimiter
from otel_resilience.events import ExecutionRejected
from otel_resilience.testing import ManualClock, Recorder
from tests.concurrency.holding import held_by_another_thread
from tests.concurrency.test_threads import together


@pytest.fixture(autouse=True)
def tiny_switches() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


class Inside:
    """How many are inside, and how many were at most."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._now = 0
        self.most = 0
        self.total = 0

    def __enter__(self) -> None:
        with self._lock:
            self._now += 1
            self.total += 1
            self.most = max(self.most, self._now)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._now -= 1


def test_never_more_than_permitted_and_everybody_is_served_under_threads() -> None:
    bulkhead = Bulkhead("b", max_concurrency=3, max_queue=32)
    inside, apart = Inside(), threading.Event()

    def work() -> None:
        with inside:
            apart.wait(1e-4)  # so that there are always three who could be inside

    together(16, lambda number: [bulkhead.call(work) for _ in range(100)] and None)
    assert (inside.most, inside.total) == (3, 1_600)
    assert (bulkhead.running, bulkhead.waiting) == (0, 0)


def test_threads_and_tasks_of_many_loops_together() -> None:
    bulkhead = Bulkhead("b", max_concurrency=3, max_queue=500)
    inside = Inside()

    def work() -> None:
        with inside:
            sum(range(50))

    async def awork() -> None:
        with inside:
            await asyncio.sleep(0)

    async def many() -> None:
        await asyncio.gather(*(bulkhead.acall(awork) for _ in range(100)))

    together(
        6,
        lambda number: (
            asyncio.run(many()) if number % 2 else [bulkhead.call(work) for _ in range(100)] and None
        ),
    )
    assert (inside.most, inside.total) == (3, 600)
    assert (bulkhead.running, bulkhead.waiting) == (0, 0)


async def test_a_thousand_tasks() -> None:
    bulkhead = Bulkhead("b", max_concurrency=5, max_queue=400)
    inside = Inside()

    async def work() -> None:
        with inside:
            await asyncio.sleep(0)

    results = await asyncio.gather(*(bulkhead.acall(work) for _ in range(1_000)), return_exceptions=True)
    assert Counter(map(type, results)) == {type(None): 405, BulkheadFullError: 595}
    assert (inside.most, inside.total, bulkhead.running, bulkhead.waiting) == (5, 405, 0, 0)


def test_those_who_give_up_and_those_who_are_let_in_lose_no_permit() -> None:
    """Waits so short that grants and ends of time meet all the time."""
    bulkhead = Bulkhead("b", max_concurrency=2, max_queue=8, max_wait=1e-4)
    served = Counter[bool]()
    counting = threading.Lock()

    def work(number: int) -> None:
        for _ in range(100):
            try:
                bulkhead.call(sum, range(200))
                well = True
            except BulkheadFullError:
                well = False
            with counting:
                served[well] += 1

    with Recorder() as seen:
        together(8, work)
    assert served[True] + served[False] == 800
    assert len(seen.of(ExecutionRejected)) == served[False]
    assert (bulkhead.running, bulkhead.waiting) == (0, 0)


def test_a_limiter_lets_exactly_a_burst_pass_in_no_time() -> None:
    limiter = RateLimiter("l", rate=50.0)
    passed = Counter[bool]()
    counting = threading.Lock()

    def work(number: int) -> None:
        for _ in range(50):
            try:
                limiter.call(lambda: None)
                well = True
            except RateLimitedError:
                well = False
            with counting:
                passed[well] += 1

    with ManualClock():
        together(8, work)
    assert passed == {True: 50, False: 350}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("handler", [True, False])
def test_a_forked_child_begins_empty(handler: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a server forks behind Python's back, while somebody holds the lock, and inside a guarded call."""
    bulkhead = Bulkhead("forked", max_concurrency=1)
    limiter = RateLimiter("forked", rate=1.0, per=3600.0)
    limiter.call(lambda: None)
    forgets = Bulkhead.forget if handler else None

    def in_child() -> int:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            said = b"?"
            try:
                if forgets is None:  # as if no handler had run: only the process id differs
                    bulkhead._pid = limiter._pid = -1
                said = str(bulkhead.call(lambda: bulkhead.running) + limiter.call(lambda: 1)).encode()
            finally:
                os.write(writing, said)
                os._exit(0)
        os.close(writing)
        answer = os.read(reading, 10)
        os.close(reading)
        os.waitpid(child, 0)
        return int(answer)

    if handler:
        with held_by_another_thread(bulkhead._lock, limiter._lock):
            assert in_child() == 2
    assert bulkhead.call(in_child) == 2
    assert bulkhead.running == 0


def test_a_call_that_began_before_the_fork_gives_nothing_back_after_it() -> None:
    bulkhead = Bulkhead("b", max_concurrency=1)

    def forgotten() -> int:
        bulkhead.forget()
        return bulkhead.call(lambda: bulkhead.running)

    assert bulkhead.call(forgotten) == 1
    assert bulkhead.running == 0
