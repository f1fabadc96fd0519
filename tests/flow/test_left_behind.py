"""What is left behind fails for nobody: the request in hand has its answer from elsewhere."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from otel_resilience import Hedge, Pipeline, ServiceTimeoutError, Timeout
from otel_resilience.context import request
from otel_resilience.context.request import Request
from otel_resilience.errors.failed_call import FailedCall, remember

CODE = "CONNECT_FAILED"


@pytest.fixture
def in_hand() -> Iterator[Request]:
    current = Request()
    token = request.enter(current)
    yield current
    request.leave(token)


class Dependency:
    """Its first call hangs until it is released, and fails then; the others answer at once."""

    def __init__(self) -> None:
        self.released = threading.Event()
        self.ended = threading.Event()
        self._calls = 0
        self._inner = Pipeline("left.behind.inside")

    def call(self) -> str:
        self._calls += 1
        if self._calls > 1:
            return "well"
        self.released.wait(5)
        try:
            remember(FailedCall(code=CODE))  # as a client without policies does
            return self._inner.call(self._fail)
        finally:
            self.ended.set()

    def _fail(self) -> str:
        raise ConnectionError

    def end(self) -> None:
        self.released.set()
        assert self.ended.wait(5)


def test_a_slower_attempt_beside_the_one_that_answered(in_hand: Request) -> None:
    dependency = Dependency()
    assert Pipeline("left.hedged", Hedge(after=0.01)).call(dependency.call) == "well"
    dependency.end()
    assert in_hand.failures == ()


def test_what_hangs_in_its_thread_behind_a_timeout(in_hand: Request) -> None:
    dependency = Dependency()
    with pytest.raises(ServiceTimeoutError):
        Pipeline("left.late", Timeout(0.01, thread=True)).call(dependency.call)
    dependency.end()
    assert [failed.code for failed in in_hand.failures] == ["SERVICE_TIMEOUT"]


async def test_a_slower_attempt_that_fails_while_it_is_cancelled(in_hand: Request) -> None:
    calls, left = 0, asyncio.Event()

    async def call() -> str:
        nonlocal calls
        calls += 1
        if calls > 1:
            return "well"
        try:
            await asyncio.sleep(60)
        finally:
            remember(FailedCall(code=CODE))
            left.set()
        return "late"

    assert await Pipeline("left.hedged.task", Hedge(after=0.01)).acall(call) == "well"
    await asyncio.wait_for(left.wait(), 5)
    assert in_hand.failures == ()


def test_attempts_side_by_side_that_all_fail_are_all_told(in_hand: Request) -> None:
    both = threading.Barrier(2, timeout=5)

    def call() -> str:
        both.wait()
        remember(FailedCall(code=CODE, ended=1.0))
        raise ConnectionError

    with pytest.raises(ConnectionError):
        Pipeline("left.nobody", Hedge(after=0.01)).call(call)
    [failed] = in_hand.failures
    assert (failed.code, failed.others) == (CODE, 1)
