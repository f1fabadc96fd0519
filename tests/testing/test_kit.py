"""The test kit, as its users would use it."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from otel_resilience import Backoff, CircuitBreaker, Pipeline, Retry, Timeout
from otel_resilience.events import ExecutionFinished
from otel_resilience.flow.effects import Invoke, Sleep, Within
from otel_resilience.outcome import Failure, Success
from otel_resilience.testing import Draws, ManualClock, Recorder, play, resilience_off


def test_play_shows_what_a_policy_asks_for() -> None:
    with Draws([0.5]):
        played = play(Retry("r", on=OSError, backoff=Backoff(initial=1.0)), [OSError(), None, "done"])
    assert played.asked == [Invoke(), Sleep(0.5), Invoke()]
    assert played.result == Success("done")


def test_play_ends_where_the_answers_end_and_the_flow_lets_go() -> None:
    breaker = CircuitBreaker("b", failure_threshold=1, recovery_timeout=1.0)
    with ManualClock() as clock:
        play(breaker, [OSError()])
        clock.advance(2.0)
        played = play(breaker, [])
        assert (played.asked, played.result) == ([Invoke()], None)
        assert isinstance(play(breaker, ["fine"]).result, Success), "the abandoned probe holds no permit"


def test_play_of_a_pipeline_shows_the_outermost_effect() -> None:
    played = play(Pipeline("p", Timeout(2.0)), [])
    assert isinstance(played.asked[0], Within)
    assert played.asked[0].seconds == 2.0


def test_a_failure_played_is_a_failure() -> None:
    error = OSError()
    assert play(CircuitBreaker("b"), [error]).result == Failure(error)


def test_resilience_off_lets_everything_through_in_every_form() -> None:
    breaker = CircuitBreaker("off")
    breaker.force_open()
    with resilience_off(), resilience_off(), Recorder() as seen:
        assert breaker.call(lambda: 1) == 1
        assert asyncio.run(breaker.acall(lambda: 2)) == 2
        with breaker:
            pass
        assert seen.events == []
    with Recorder() as seen:
        with pytest.raises(Exception, match="forced_open"):
            breaker.call(lambda: 1)
        assert len(seen.of(ExecutionFinished)) == 1


def test_seeded_draws_are_the_same_each_time() -> None:
    def delays() -> list[float]:
        with Draws.seeded(7), ManualClock() as clock:
            with pytest.raises(OSError):
                Retry(f"seeded{id(clock)}", on=OSError, max_attempts=4).call(_fail)
            return clock.slept

    first = delays()
    assert first == delays()
    assert len(set(first)) == 3


def _fail() -> None:
    raise OSError


async def test_waits_side_by_side_end_each_at_its_own_instant() -> None:
    ended: dict[str, float] = {}

    async def work(name: str, seconds: float) -> None:
        attempts = iter((OSError(), None))

        async def once() -> None:
            if error := next(attempts):
                raise error
            ended[name] = clock.monotonic()

        retry = Retry(name, on=OSError, backoff=Backoff(initial=seconds, jitter="none"))
        await Pipeline(name, Timeout(seconds + 0.5), retry).acall(once)

    with ManualClock(0.0, auto=True) as clock:
        await asyncio.gather(work("side.long", 10.0), work("side.short", 1.0), work("side.longer", 12.0))
    assert ended == {"side.short": 1.0, "side.long": 10.0, "side.longer": 12.0}


def test_a_clock_goes_on_in_another_event_loop_after_one_that_was_cut_off() -> None:
    async def cut_off() -> None:
        waiting = asyncio.ensure_future(clock.asleep(5.0))
        await asyncio.sleep(0)
        waiting.cancel()

    with ManualClock(0.0, auto=True) as clock:
        asyncio.run(cut_off())
        asyncio.run(asyncio.wait_for(clock.asleep(1.0), 10))
    assert clock.slept == [5.0, 1.0]


def test_draws_come_in_turn_and_the_last_one_for_ever_after() -> None:
    draws = Draws([0.1, 0.2])
    assert [draws() for _ in range(4)] == [0.1, 0.2, 0.2, 0.2]
    endless = Draws(itertools.count())
    assert [endless() for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="at least one"):
        Draws([])


def test_the_fixtures_are_found_by_pytest(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        from otel_resilience import CircuitBreaker, Retry

        def test_time(resilience_clock, resilience_events):
            calls = []
            def flaky():
                calls.append(1)
                if len(calls) < 3:
                    raise OSError
            Retry("r", on=OSError).call(flaky)
            assert len(resilience_clock.slept) == 2
            assert resilience_events.events

        async def test_time_in_tasks(resilience_clock):
            calls = []
            async def flaky():
                calls.append(1)
                if len(calls) < 3:
                    raise OSError
            await Retry("a", on=OSError).acall(flaky)
            assert len(resilience_clock.slept) == 2

        def test_off(without_resilience):
            breaker = CircuitBreaker("b")
            breaker.force_open()
            assert breaker.call(lambda: 1) == 1
        """
    )
    # By their entry point alone, as users find them.
    pytester.runpytest_subprocess(
        "-p", "no:cacheprovider", "--asyncio-mode=auto", timeout=60
    ).assert_outcomes(passed=3)
