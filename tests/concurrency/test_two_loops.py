"""Two event loops and a thread in one process, through one policy object at once: none is tied to the loop that came first."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from otel_resilience import (
    Backoff,
    Bulkhead,
    CircuitBreaker,
    Fallback,
    FaultInjector,
    Hedge,
    Pipeline,
    RateLimiter,
    Retry,
    RetryBudget,
    Timeout,
)

POLICIES: dict[str, Callable[[], Any]] = {
    "breaker": lambda: CircuitBreaker("loops"),
    "retry": lambda: Retry("loops", on=OSError, backoff=Backoff(initial=0.001), budget=RetryBudget()),
    "timeout": lambda: Timeout(30.0),
    "bulkhead": lambda: Bulkhead("loops", max_concurrency=1, max_queue=100, max_wait=30.0),
    "limiter": lambda: RateLimiter("loops", rate=2000.0, burst=1, max_wait=30.0),
    "hedge": lambda: Hedge(after=0.001, budget=RetryBudget()),
    "fallback": lambda: Fallback.last_good(),
    "fault": lambda: FaultInjector(latency=0.001, max_concurrency=1),
    "pipeline": lambda: Pipeline(
        "loops", Timeout(30.0), Bulkhead(max_concurrency=2, max_queue=100), CircuitBreaker(failure_rate=1.0)
    ),
}


@pytest.mark.parametrize("kind", POLICIES)
def test_everybody_is_served(kind: str) -> None:
    policy = POLICIES[kind]()
    served: list[str] = []
    failures: list[BaseException] = []
    barrier = threading.Barrier(3)

    async def work(who: str) -> None:
        await asyncio.sleep(0.002)
        served.append(who)

    async def in_a_loop(who: str) -> None:
        await asyncio.gather(*(policy.acall(work, who) for _ in range(20)))

    def run(who: str) -> None:
        barrier.wait()
        try:
            if who == "thread":
                for _ in range(20):
                    policy.call(served.append, who)
            else:
                asyncio.run(in_a_loop(who))
        except BaseException as error:  # carried to the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=run, args=(who,)) for who in ("one loop", "another", "thread")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    assert failures == []
    for who in ("one loop", "another", "thread"):
        assert served.count(who) == 20 or (kind == "hedge" and served.count(who) >= 20)
