"""The bulkhead's machine: its table, its order, and what holds under any history."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from otel_resilience.policies.bulkhead.options import BulkheadOptions
from otel_resilience.policies.bulkhead.state import TRANSITIONS, BulkheadMachine, Place, Stage, Step

LIMIT, QUEUE = 2, 3


def machine(limit: int = 1, queue: int = 2) -> BulkheadMachine[Place]:
    return BulkheadMachine(BulkheadOptions(max_concurrency=limit, max_queue=queue))


def entered(bulkhead: BulkheadMachine[Place], now: float = 0.0, expires_at: float | None = None) -> Place:
    place = Place(expires_at)
    assert bulkhead.enter(place, now)
    return place


def test_the_table_is_all_that_may_follow() -> None:
    for stage in Stage:
        for step in Step:
            place = Place()
            place.stage = stage
            if (stage, step) in TRANSITIONS:
                place.move(step)
                assert place.stage is TRANSITIONS[stage, step]
            else:
                with pytest.raises(KeyError):
                    place.move(step)


def test_calls_run_then_wait_then_are_refused() -> None:
    bulkhead = machine(limit=2, queue=1)
    stages = [entered(bulkhead).stage for _ in range(3)]
    assert stages == [Stage.RUNNING, Stage.RUNNING, Stage.WAITING]
    late = Place()
    assert not bulkhead.enter(late, 0.0)
    assert late.stage is Stage.OUT
    assert (bulkhead.running, bulkhead.waiting) == (2, 1)


def test_a_permit_goes_to_who_has_waited_longest_and_to_nobody_who_comes_later() -> None:
    bulkhead = machine(limit=1, queue=2)
    runs, first, second = (entered(bulkhead) for _ in range(3))
    assert bulkhead.release(runs, 1.0) is first
    assert first.stage is Stage.RUNNING
    assert not bulkhead.enter(Place(), 1.0, may_wait=False)
    assert bulkhead.release(first, 2.0) is second
    assert bulkhead.release(second, 3.0) is None
    assert (bulkhead.running, bulkhead.waiting) == (0, 0)


def test_what_is_released_twice_counts_once() -> None:
    bulkhead = machine(limit=1, queue=2)
    runs, waits = entered(bulkhead), entered(bulkhead)
    bulkhead.release(waits, 0.0)
    assert bulkhead.release(waits, 0.0) is None
    bulkhead.release(runs, 0.0)
    assert bulkhead.release(runs, 0.0) is None
    assert (bulkhead.running, bulkhead.waiting) == (0, 0)
    assert entered(bulkhead).stage is Stage.RUNNING
    assert entered(bulkhead).stage is Stage.WAITING


def test_who_stops_waiting_in_the_moment_of_the_grant_hands_the_permit_on() -> None:
    bulkhead = machine(limit=1, queue=2)
    runs, first, second = (entered(bulkhead) for _ in range(3))
    assert bulkhead.release(runs, 0.0) is first
    assert bulkhead.release(first, 0.0) is second
    assert (bulkhead.running, bulkhead.waiting) == (1, 0)


def test_who_has_waited_too_long_is_passed_over() -> None:
    bulkhead = machine(limit=1, queue=3)
    runs = entered(bulkhead)
    early = entered(bulkhead, expires_at=5.0)
    late = entered(bulkhead, expires_at=5.000001)
    patient = entered(bulkhead)
    assert bulkhead.release(runs, 5.0) is late
    assert early.stage is Stage.OUT
    assert bulkhead.release(late, 99.0) is patient
    assert bulkhead.release(patient, 99.0) is None
    assert bulkhead.running == 0


def test_a_row_full_of_those_whose_time_is_over_is_not_full() -> None:
    bulkhead = machine(limit=1, queue=2)
    entered(bulkhead)
    gone, stays = entered(bulkhead, expires_at=1.0), entered(bulkhead, expires_at=3.0)
    assert not bulkhead.enter(Place(), 0.999999)
    new = entered(bulkhead, now=1.0)
    assert [place.stage for place in (gone, stays, new)] == [Stage.OUT, Stage.WAITING, Stage.WAITING]
    assert bulkhead.waiting == 2


def test_who_has_no_time_does_not_wait_but_may_run() -> None:
    bulkhead = machine(limit=1, queue=2)
    assert entered(bulkhead, now=1.0, expires_at=1.0).stage is Stage.RUNNING
    assert not bulkhead.enter(Place(1.0), 1.0)
    assert bulkhead.enter(Place(1.000001), 1.0)


class BulkheadHistories(RuleBasedStateMachine):
    """Compared with the plainest model there is: two lists."""

    places: Bundle[Place] = Bundle("places")

    def __init__(self) -> None:
        super().__init__()
        self.machine: BulkheadMachine[Place] = machine(LIMIT, QUEUE)
        self.now = 0.0
        self.running: list[Place] = []
        self.row: list[Place] = []

    def alive(self, place: Place) -> bool:
        return place.expires_at is None or self.now < place.expires_at

    @rule(target=places, patience=st.none() | st.integers(0, 4), may_wait=st.booleans())
    def enter(self, patience: int | None, may_wait: bool) -> Place:
        place = Place(None if patience is None else self.now + patience)
        came_in = self.machine.enter(place, self.now, may_wait=may_wait)
        if len(self.running) < LIMIT:
            self.running.append(place)
            assert came_in
            return place
        if may_wait and self.alive(place):
            if len(self.row) >= QUEUE:
                self.row = [waiting for waiting in self.row if self.alive(waiting)]
            if len(self.row) < QUEUE:
                self.row.append(place)
                assert came_in
                return place
        assert not came_in
        return place

    @rule(place=places)
    def release(self, place: Place) -> None:
        following = self.machine.release(place, self.now)
        expected = None
        if place in self.row:
            self.row.remove(place)
        elif place in self.running:
            self.running.remove(place)
            while self.row and expected is None:
                head = self.row.pop(0)
                if self.alive(head):
                    expected = head
                    self.running.append(head)
        assert following is expected

    @rule(seconds=st.integers(1, 3))
    def pass_time(self, seconds: int) -> None:
        self.now += seconds

    @invariant()
    def agrees_with_the_model(self) -> None:
        assert self.machine.running == len(self.running) <= LIMIT
        assert self.machine.waiting == len(self.row) <= QUEUE
        assert all(place.stage is Stage.RUNNING for place in self.running)
        assert all(place.stage is Stage.WAITING for place in self.row)

    @invariant()
    def nobody_waits_while_there_is_room(self) -> None:
        assert not self.machine.waiting or self.machine.running == LIMIT


BulkheadHistories.TestCase.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
TestHistories = BulkheadHistories.TestCase
