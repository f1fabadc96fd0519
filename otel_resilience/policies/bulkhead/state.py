"""Who runs, who waits, and who is next: a pure machine, with time as an argument.

Theory of operation. There are ``max_concurrency`` permits, and one row of at most ``max_queue`` places. A
call is in one of three *stages*: it is OUT (not in yet, or gone), it RUNS with a permit, or it WAITS in the
row. A permit that comes back goes to the head of the row in the same step, so nobody who comes later can take
it from those who wait, and no permit is ever on its way between two calls. There is one way back whatever the
stage, ``release``, which does nothing the second time: who stops waiting in the very moment in which it is
let in gives the permit back.

The time of who waits may run out: it is then passed over, and dropped when the row would be full of such. Not
thread-safe: the caller holds a lock.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from enum import StrEnum
from typing import Generic, TypeVar

from otel_resilience.policies.bulkhead.options import BulkheadOptions


class Stage(StrEnum):
    """Where a call is."""

    OUT = "out"
    WAITING = "waiting"
    RUNNING = "running"


class Step(StrEnum):
    """What moves a call from one stage to another."""

    ADMIT = "admit"
    QUEUE = "queue"
    GRANT = "grant"
    EXPIRE = "expire"
    RELEASE = "release"


#: What may follow. The documentation's diagram is drawn from this; a pair that is not listed cannot happen.
TRANSITIONS: Mapping[tuple[Stage, Step], Stage] = {
    (Stage.OUT, Step.ADMIT): Stage.RUNNING,
    (Stage.OUT, Step.QUEUE): Stage.WAITING,
    (Stage.WAITING, Step.GRANT): Stage.RUNNING,
    (Stage.WAITING, Step.EXPIRE): Stage.OUT,
    (Stage.WAITING, Step.RELEASE): Stage.OUT,
    (Stage.RUNNING, Step.RELEASE): Stage.OUT,
}


class Place:
    """One call's place. It waits at most until ``expires_at``; ``None``: for as long as it takes."""

    __slots__ = ("expires_at", "stage")

    def __init__(self, expires_at: float | None = None) -> None:
        self.stage = Stage.OUT
        self.expires_at = expires_at

    def expired(self, now: float) -> bool:
        """Whether it has waited long enough."""
        return self.expires_at is not None and now >= self.expires_at

    def move(self, step: Step) -> None:
        """Go to the stage that the table says."""
        self.stage = TRANSITIONS[self.stage, step]


P = TypeVar("P", bound=Place)


class BulkheadMachine(Generic[P]):
    """One bulkhead's state."""

    __slots__ = ("_options", "_row", "_running")

    def __init__(self, options: BulkheadOptions) -> None:
        self._options = options
        self._running = 0
        self._row: OrderedDict[P, None] = OrderedDict()  # who has waited longest is first

    @property
    def running(self) -> int:
        """Calls with a permit."""
        return self._running

    @property
    def waiting(self) -> int:
        """Calls in the row."""
        return len(self._row)

    def enter(self, place: P, now: float, *, may_wait: bool = True) -> bool:
        """Let ``place`` run or wait, as its stage then says. False if it can do neither."""
        if self._running < self._options.max_concurrency:
            # Nobody waits: a permit that comes back is handed on at once.
            self._running += 1
            place.move(Step.ADMIT)
            return True
        if not may_wait or place.expired(now):
            return False
        if len(self._row) >= self._options.max_queue:
            self._drop_expired(now)
            if len(self._row) >= self._options.max_queue:
                return False
        self._row[place] = None
        place.move(Step.QUEUE)
        return True

    def release(self, place: P, now: float) -> P | None:
        """``place`` is gone. Answers with the one that runs instead of it, which is to be told."""
        was = place.stage
        if was is Stage.OUT:
            return None
        place.move(Step.RELEASE)
        if was is Stage.WAITING:
            del self._row[place]
            return None
        while self._row:
            following, _ = self._row.popitem(last=False)
            if not following.expired(now):
                following.move(Step.GRANT)
                return following
            following.move(Step.EXPIRE)
        self._running -= 1
        return None

    def _drop_expired(self, now: float) -> None:
        for place in [place for place in self._row if place.expired(now)]:
            place.move(Step.EXPIRE)
            del self._row[place]
