"""A fork with a breaker in any state: the child begins anew, and nobody waits for a lock of the parent's."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from otel_resilience import BreakerState, CircuitBreaker
from tests.concurrency.holding import held_by_another_thread
from tests.flow.flaky import Flaky


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
class TestFork:
    """Each child tells by its exit status."""

    @staticmethod
    def in_child(look: Callable[[], bool]) -> bool:
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                status = 0 if look() else 2
            finally:
                os._exit(status)
        _, status = os.waitpid(pid, 0)
        return os.waitstatus_to_exitcode(status) == 0

    def test_an_open_breaker_begins_closed_and_works(self) -> None:
        breaker = CircuitBreaker("forked", failure_threshold=1)
        keyed = breaker.for_key("a")
        for each in (breaker, keyed):
            with pytest.raises(OSError):
                each.call(Flaky(1))

        def look() -> bool:
            fresh = [breaker.state, keyed.state] == [BreakerState.CLOSED] * 2
            breaker.call(Flaky(0))
            return fresh and breaker.snapshot().successes == 1 and breaker.for_key("a") is keyed

        assert self.in_child(look)
        assert breaker.state is keyed.state is BreakerState.OPEN

    def test_what_is_forced_stays_forced(self) -> None:
        breaker = CircuitBreaker()
        breaker.force_open()
        assert self.in_child(lambda: breaker.state is BreakerState.FORCED_OPEN)

    def test_a_lock_that_another_thread_holds_does_not_stop_the_child(self) -> None:
        breaker = CircuitBreaker("held", failure_threshold=1)
        breaker.for_key("a")
        assert breaker._keyed is not None
        with held_by_another_thread(breaker._lock, breaker._shared._lock, breaker._keyed._lock):
            assert self.in_child(lambda: breaker.call(breaker.for_key("a").call, Flaky(0)) == "done")

    def test_a_call_that_the_fork_happens_in_counts_in_the_parent_alone(self) -> None:
        breaker = CircuitBreaker(failure_threshold=1)
        in_child = False

        def forks() -> None:
            nonlocal in_child
            pid = os.fork()
            in_child = pid == 0
            if not in_child:
                _, status = os.waitpid(pid, 0)
                assert os.waitstatus_to_exitcode(status) == 0
            raise OSError

        try:
            breaker.call(forks)
        except OSError:
            pass
        if in_child:
            os._exit(0 if breaker.state is BreakerState.CLOSED else 2)
        assert breaker.state is BreakerState.OPEN

    def test_a_child_that_no_handler_was_called_in_finds_out_at_its_first_call(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        breaker = CircuitBreaker(failure_threshold=1)
        with pytest.raises(OSError):
            breaker.call(Flaky(1))
        monkeypatch.setattr(os, "getpid", lambda: -1)
        breaker.call(Flaky(0))
        assert (breaker.state, breaker.snapshot().successes) == (BreakerState.CLOSED, 1)
