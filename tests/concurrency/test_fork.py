"""A fork while other threads hold every lock there is: the child waits for none of them, and counts for itself."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
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
    ServiceInfo,
    ServiceMesh,
    ServiceRegistry,
    Timeout,
    TimeoutHandler,
    register_code,
)
from otel_resilience.flow import switch
from otel_resilience.listener import LISTENERS
from otel_resilience.policies.retry_budget.policy import budget_of
from otel_resilience.telemetry.install import install
from tests.flow.flaky import Flaky

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here"),
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),
]

PROJECT = Path(__file__).parents[2]
LOCKS = (type(threading.Lock()), type(threading.RLock()))
#: Seconds that the child may take.
PATIENCE = 10.0


def in_child(look: Callable[[], bool]) -> bool:
    """What ``look`` says in a forked child; one that hangs is ended by its alarm."""
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, PATIENCE)
        status = 1
        try:
            status = 0 if look() else 2
        finally:
            os._exit(status)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status) == 0


def locks_of_the_package() -> Iterator[Any]:
    """Every lock that a module, or an object of a class, of the package has."""
    for name, module in list(sys.modules.items()):
        if name.split(".")[0] == "otel_resilience":
            yield from (value for value in vars(module).values() if isinstance(value, LOCKS))
    for thing in gc.get_objects():
        if type(thing).__module__.split(".")[0] == "otel_resilience":
            slots = [slot for kind in type(thing).__mro__ for slot in getattr(kind, "__slots__", ())]
            held = [getattr(thing, slot, None) for slot in slots] + list(
                getattr(thing, "__dict__", {}).values()
            )
            yield from (value for value in held if isinstance(value, LOCKS))


@contextmanager
def everything_locked() -> Iterator[int]:
    """Another thread holds all the locks; how many they are."""
    held, done, count = threading.Event(), threading.Event(), 0

    def hold() -> None:
        nonlocal count
        locks = [lock for lock in locks_of_the_package() if lock.acquire(timeout=0.2)]
        count = len(locks)
        held.set()
        done.wait(60)
        for lock in locks:
            lock.release()

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        assert held.wait(30)
        yield count
    finally:
        done.set()
        thread.join(30)


def test_a_child_waits_for_no_lock_of_its_parents() -> None:
    # In a process of its own: what other tests left behind has locks too, and threads that want them.
    told = "from tests.concurrency.test_fork import lock_everything_and_fork; lock_everything_and_fork()"
    run = subprocess.run(
        [sys.executable, "-c", told], cwd=PROJECT, capture_output=True, text=True, timeout=100, check=False
    )
    assert run.returncode == 0, run.stderr


def lock_everything_and_fork() -> None:
    """The test itself."""
    install()
    retry = Retry(on=OSError, backoff=Backoff(initial=0.0, jitter="none"), budget=RetryBudget())
    guard = Pipeline(
        "child",
        Fallback.last_good(),
        Timeout(30.0),
        RateLimiter(rate=100),
        Bulkhead(max_concurrency=2),
        retry,
        CircuitBreaker(),
        FaultInjector(rate=0.0),
        trace=True,
    )
    hedge = Hedge(after=30.0)
    handler = TimeoutHandler(default=30.0)
    registry = ServiceRegistry()
    registry.register(ServiceInfo(name="ledger", version="1", host="127.0.0.1", port=1))
    mesh = ServiceMesh(registry)
    mesh.set_retry_policy("ledger", retry)

    def everything() -> bool:
        flaky = Flaky(1)
        switch.turn_off()
        switch.turn_on()
        LISTENERS.remove(print)
        register_code(_Odd, "ODD")
        return (
            guard.call(flaky) == "done"
            and flaky.calls == 2
            and hedge.call(Flaky(0)) == "done"
            and budget_of("child of a fork").available > 0
            and handler.call_with_timeout("ledger", "read", Flaky(0)) == "done"
            and mesh.call("ledger", "read", lambda endpoint: endpoint.port) == 1
            and install() is not None
        )

    assert everything()
    with everything_locked() as count:
        assert count > 10, "the locks were not found"
        assert in_child(everything)
    mesh.close()
    registry.close()
    handler.close()


class _Odd(Exception):
    pass


def test_a_budget_counts_for_its_own_process() -> None:
    budget = RetryBudget(ratio=0.0, min_per_second=0.1)
    assert budget.take(0.0)
    assert not budget.take(0.0)
    assert in_child(lambda: budget.take(0.0) and not budget.take(0.0))
    assert not budget.take(0.0), "what the child spends is its own"
