"""A call that is in the midst of it until it is told to end: what others wait for."""

from __future__ import annotations

from typing import ClassVar

from otel_resilience.flow.guard import Guard
from otel_resilience.outcome import Success


class Holder:
    """Runs in a context of its own, so that the test's own calls are not inside it. Kept until ``end_all``."""

    _alive: ClassVar[list[Holder]] = []

    def __init__(self, guard: Guard) -> None:
        self._parked = guard.park()
        assert self._parked.refused is None
        self._alive.append(self)

    def end(self) -> None:
        self._parked.finish(Success(None))

    @classmethod
    def end_all(cls) -> None:
        while cls._alive:
            cls._alive.pop().end()
