"""Chance that is known."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Self

from otel_resilience import chance


class Draws:
    """Chance that is known: the given numbers in turn, the last one for ever after. In use inside ``with``.

    Endless numbers are taken one by one. Raises ``ValueError`` where there is none.
    """

    def __init__(self, numbers: Iterable[float] = (0.0,)) -> None:
        self._numbers = iter(numbers)
        first = next(self._numbers, None)
        if first is None:
            raise ValueError("Draws numbers must be at least one, got none")
        self._next = first
        self._replaced: Callable[[], float] | None = None

    @classmethod
    def seeded(cls, seed: int) -> SeededDraws:
        """The same sequence for the same ``seed``, on every run."""
        return SeededDraws(seed)

    def __call__(self) -> float:
        drawn = self._next
        self._next = next(self._numbers, drawn)
        return drawn

    def __enter__(self) -> Self:
        self._replaced = chance.use(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        if self._replaced is not None:
            chance.use(self._replaced)


class SeededDraws(Draws):
    """Numbers of a generator with a seed."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._random = random.Random(seed)

    def __call__(self) -> float:
        return self._random.random()
