"""Attempts side by side in threads: the first good one is the answer, the others end behind."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from otel_resilience.clock import Clock, wait_in_real_time
from otel_resilience.context import deadline, guards
from otel_resilience.context.guards import GuardedCall
from otel_resilience.exceptions import DeadlineExceededError
from otel_resilience.flow.effects import Flow, Race, Raced
from otel_resilience.flow.workers import Worker
from otel_resilience.outcome import Failure, Result

Drive = Callable[[Flow], Result[Any]]


def race(effect: Race, drive: Drive, clock: Clock) -> Raced:
    """Run the race from this thread, in workers. Where none is free at the start the one attempt is made here."""
    worker = effect.pool.reserve()
    if worker is None:
        first = effect.start(1)
        if first is None:
            raise RuntimeError("a race needs at least one flow")
        return Raced(1, drive(first))
    return _Race(effect, drive, clock).run(worker)


class _Race:
    def __init__(self, effect: Race, drive: Drive, clock: Clock) -> None:
        self._effect = effect
        self._drive = drive
        self._clock = clock
        self._changed = threading.Event()
        self._arrived: deque[tuple[int, Result[Any]]] = deque()
        self._begun = 0
        self._branches: dict[int, GuardedCall] = {}  # of those that have not ended

    def run(self, worker: Worker) -> Raced:
        try:
            return self._run(worker)
        finally:
            for branch in self._branches.values():
                branch.left_behind = True

    def _run(self, worker: Worker) -> Raced:
        self._begin(worker)
        ended: dict[int, Result[Any]] = {}
        due: float | None = self._clock.monotonic() + self._effect.after
        while True:
            in_time = wait_in_real_time(self._changed, self._patience(due))
            self._changed.clear()
            while self._arrived:
                number, result = self._arrived.popleft()
                ended[number] = result
                del self._branches[number]
                if self._effect.decides(number, result):
                    return Raced(number, result)
            if len(ended) == self._begun:
                return Raced(1, ended[1])
            if in_time:
                continue
            if deadline.remaining() == 0.0:
                return Raced(
                    1, Failure(DeadlineExceededError("left behind in its thread when the deadline passed"))
                )
            free = self._effect.pool.reserve() if due is not None else None
            due = self._clock.monotonic() + self._effect.after if free and self._begin(free) else None

    def _patience(self, due: float | None) -> float | None:
        left = deadline.remaining()
        if due is None:
            return left
        wait = max(0.0, due - self._clock.monotonic())
        return wait if left is None else min(wait, left)

    def _begin(self, worker: Worker) -> bool:
        number = self._begun + 1
        flow = self._effect.start(number)
        if flow is None:
            worker.release()
            return False

        def work() -> None:
            try:
                self._arrived.append((number, self._drive(flow)))
            except BaseException as error:  # an interrupted wait of a policy's own
                self._arrived.append((number, Failure(error)))
            self._changed.set()

        self._begun = number
        self._branches[number], token = guards.enter_branch()
        worker.run(work)
        guards.leave(token)
        worker.release()
        return True
