"""Totals are exact with many threads, and begin anew after a fork."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable

import pytest

from otel_resilience import CircuitBreaker, Pipeline
from otel_resilience.telemetry import names
from tests.concurrency.holding import held_by_another_thread, returns
from tests.telemetry.observatory import Observatory
from tests.telemetry.points import fail, of


def in_eight_threads(work: Callable[[int], None]) -> None:
    """Run ``work`` with the numbers 0 to 7 at once, changing threads as often as the interpreter can."""
    together = threading.Barrier(8)

    def start(number: int) -> None:
        together.wait()
        work(number)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=start, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)


def test_totals_are_exact_with_eight_threads(observatory: Observatory) -> None:
    guard = Pipeline("metrics.threads", CircuitBreaker(failure_threshold=1_000_000))
    calls = 300

    def work(number: int) -> None:
        for turn in range(calls):
            try:
                if (turn + number) % 2:
                    guard.call(fail)
                else:
                    guard.call(len, "")
            except OSError:
                continue

    in_eight_threads(work)
    executions = of(observatory.points("resilience.executions"), "metrics.threads")
    assert sorted(executions.values()) == [8 * calls // 2, 8 * calls // 2]
    assert sum(of(observatory.points("resilience.attempts"), "metrics.threads").values()) == 8 * calls


def test_no_addition_is_lost(observatory: Observatory) -> None:
    additions = 4_000

    def work(number: int) -> None:
        for _ in range(additions):
            observatory.telemetry.counts.add(names.EXECUTIONS, "metrics.additions", "failure", None, True)

    in_eight_threads(work)
    assert list(of(observatory.points("resilience.executions"), "metrics.additions").values()) == [
        8 * additions
    ]


def test_an_addition_in_the_midst_of_another_is_not_lost_and_waits_for_nobody(
    observatory: Observatory,
) -> None:
    """The collector ends an abandoned call wherever a thread is, and that end is counted."""
    counts = observatory.telemetry.counts
    looked_at = 0

    class Meanwhile(str):
        """A name; while its series is looked for, the same series is counted once more."""

        __slots__ = ()

        def __hash__(self) -> int:
            nonlocal looked_at
            looked_at += 1
            if looked_at < 20:
                counts.add(names.EXECUTIONS, "metrics.midst", "success", None, True)
            return hash("metrics.midst")

    def work() -> None:
        counts.add(names.EXECUTIONS, Meanwhile("metrics.midst"), "success", None, True)
        assert 0 < looked_at < 20
        assert sum(counts.read(names.EXECUTIONS).values()) == 1 + looked_at

    assert returns(work, 10.0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_counts_from_zero(observatory: Observatory) -> None:
    Pipeline("metrics.forked").call(len, "")
    table = observatory.telemetry.counts
    with held_by_another_thread(table._lock):  # which counts at the moment of the fork
        child = os.fork()
        if child == 0:
            inherited = sum(table.read(names.EXECUTIONS).values())
            table.add(names.EXECUTIONS, "metrics.forked", "success", None, True)
            os._exit(inherited * 10 + sum(table.read(names.EXECUTIONS).values()))
    _, code = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(code) == 1
    assert sum(of(observatory.points("resilience.executions"), "metrics.forked").values()) == 1


def test_a_child_that_python_was_not_told_of_counts_from_zero_too(
    observatory: Observatory, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = observatory.telemetry.counts
    table.add(names.EXECUTIONS, "parent", "success", None, True)
    monkeypatch.setattr(os, "getpid", lambda: -1)
    table.add(names.EXECUTIONS, "child", "success", None, True)
    assert table.read(names.EXECUTIONS) == {("child", "success", None, True): 1}
