"""Breakers by key: one object each, bounded in number, one name for all."""

from __future__ import annotations

import gc
import logging

import pytest

from otel_resilience import BreakerState, CircuitBreaker, CircuitOpenError, Pipeline
from otel_resilience.events import CircuitStateChanged, ExecutionFinished
from otel_resilience.inventory import POLICIES
from otel_resilience.policies.circuit_breaker import keyed
from otel_resilience.testing import Draws, ManualClock, Recorder
from tests.concurrency.test_threads import together


@pytest.fixture
def three_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyed, "MAX_KEYS", 3)


def fail(breaker: CircuitBreaker) -> None:
    def broken() -> None:
        raise OSError

    with pytest.raises(OSError):
        breaker.call(broken)


def test_a_key_has_its_own_state_and_its_parents_options_and_name() -> None:
    parent = CircuitBreaker("hosts", failure_threshold=1)
    sick, well = parent.for_key("sick"), parent.for_key("well")
    with Recorder() as seen:
        fail(sick)
    assert (sick.state, well.state, parent.state) == (
        BreakerState.OPEN,
        BreakerState.CLOSED,
        BreakerState.CLOSED,
    )
    assert sick.options is parent.options
    assert {event.name for event in seen.events} == {"hosts"}
    assert [event.state for event in seen.of(CircuitStateChanged)] == ["open"]


def test_a_key_is_one_object_while_it_lives() -> None:
    parent = CircuitBreaker("hosts")
    assert parent.for_key("a") is parent.for_key("a")
    assert parent.for_key("a") is not parent.for_key("b")
    assert parent.for_key("a").for_key("b") is parent.for_key("b")


def test_two_threads_get_the_same_one() -> None:
    parent = CircuitBreaker("hosts")
    found: list[CircuitBreaker] = []
    together(8, lambda number: found.append(parent.for_key("a")))
    assert len(set(map(id, found))) == 1


def test_the_longest_unused_idle_one_leaves(three_places: None) -> None:
    parent = CircuitBreaker("hosts", failure_threshold=2)
    for key in "abc":
        fail(parent.for_key(key))
    parent.for_key("a")
    parent.for_key("d")
    gc.collect()  # the tracebacks of what failed hold their breakers
    assert [parent.for_key(key).snapshot().failures for key in "acd"] == [1, 1, 0]
    assert parent.for_key("b").snapshot().failures == 0


def test_one_that_somebody_holds_is_found_again(three_places: None) -> None:
    parent = CircuitBreaker("hosts")
    held = parent.for_key("a")
    for key in "bcde":
        parent.for_key(key)
    assert parent.for_key("a") is held


def test_an_open_one_stays_until_its_time_is_over_and_the_rest_share(three_places: None) -> None:
    parent = CircuitBreaker("hosts", failure_threshold=1, recovery_timeout=30.0)
    with ManualClock() as clock, Draws([0.0]):
        for key in "abc":
            fail(parent.for_key(key))
        shared = parent.for_key("d")
        assert parent.for_key("e") is shared
        with pytest.raises(CircuitOpenError):
            parent.for_key("a").call(lambda: None)
        clock.advance(30.0)
        assert parent.for_key("d") is not shared
        assert len(parent._keyed._kept) == 3  # type: ignore[union-attr]  # it has been used
    assert parent.for_key("d").state is BreakerState.CLOSED


def test_one_that_is_forced_never_leaves(three_places: None) -> None:
    parent = CircuitBreaker("hosts")
    parent.for_key("a").force_open()
    for key in "bcdefgh":
        parent.for_key(key)
    gc.collect()
    assert parent.for_key("a").state is BreakerState.FORCED_OPEN


def test_ten_thousand_and_no_more() -> None:
    parent = CircuitBreaker("hosts")
    for number in range(keyed.MAX_KEYS + 100):
        parent.for_key(number)
    gc.collect()
    assert len(POLICIES.live("circuit_breaker")["hosts"]) == keyed.MAX_KEYS + 1


def test_many_keys_are_nothing_to_warn_of_and_two_parents_are(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "otel_resilience"):
        parent = CircuitBreaker("warned of once")
        for key in "abc":
            parent.for_key(key)
        assert caplog.records == []
        second = CircuitBreaker("warned of once")
    assert [record.getMessage() for record in caplog.records] == [
        "several live policies are circuit_breaker 'warned of once'; telemetry shows them as one"
    ]
    assert second.name == parent.name


def test_a_nameless_parent_and_its_keys_get_one_name() -> None:
    parent = CircuitBreaker()
    first = parent.for_key("a")
    Pipeline("named later", parent)
    assert (first.name, parent.for_key("b").name) == ("named later", "named later")

    other = CircuitBreaker()
    with Recorder() as seen:
        other.for_key("a").call(fail.__call__, other)
    assert other.name == other.for_key("b").name is not None
    assert {event.name for event in seen.of(ExecutionFinished)} == {other.name}


def test_a_key_outlives_its_parent() -> None:
    held = CircuitBreaker("gone").for_key("a")
    gc.collect()
    held.call(lambda: None)
    assert held.name == "gone"
    assert held.for_key("b") is held.for_key("b")


def test_a_key_must_be_hashable() -> None:
    with pytest.raises(TypeError, match="unhashable"):
        CircuitBreaker().for_key([])  # type: ignore[arg-type]  # the point
