"""What inputs cost at most, by their size: no byte of a large one may cost more than one of a small one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.fuzz.growth import MOST, growth_of_memory, growth_of_time, seconds
from tests.fuzz.targets import Target

#: Below this all inputs cost the same: what is done before the first byte.
_LEAST_SIZE = 32


@dataclass(slots=True)
class Worst:
    """The dearest input of one size: seconds for a byte, and what it was."""

    cost: float
    given: Any


class WorstCosts:
    """The dearest inputs that one reader met, for each size to within a factor of four."""

    def __init__(self, read: Callable[[Any], object]) -> None:
        self._read = read
        self._worst: dict[int, Worst] = {}

    def note(self, given: Any, took: float) -> None:
        """``given`` took that many seconds. One that seems to be the dearest is read again, as the machine may have paused."""
        size = max(len(given), _LEAST_SIZE)
        known = self._worst.get(size.bit_length() // 2)
        if known is not None and took / size <= known.cost:
            return
        took = min(took, *(seconds(self._read, given) for _ in range(5)))
        if known is None or took / size > known.cost:
            self._worst[size.bit_length() // 2] = Worst(took / size, given)

    @property
    def worst(self) -> Worst:
        """The dearest of all."""
        return max(self._worst.values(), key=lambda worst: worst.cost)

    def growing(self) -> Iterator[str]:
        """The inputs of which a byte costs more than of any that is far smaller, and than of any part of themselves."""
        for size, worst in self._worst.items():
            far_smaller = [known.cost for other, known in self._worst.items() if other <= size - 2]
            if far_smaller and worst.cost > MOST * max(far_smaller):
                given, part = worst.given, len(worst.given) // 8
                parts = (given[at : at + part] for at in range(0, 8 * part, part))
                growth = min(growth_of_time(self._read, each, given) for each in parts)
                if growth > MOST:
                    yield f"a byte of {len(given)} costs {growth:.1f} times a byte of its parts: {given[:80]!r}"


def growing_bombs(target: Target) -> Iterator[str]:
    """The bombs of which a byte costs more time or memory when they are large, up to the limit of the wire and far beyond."""
    limit = target.shapes.largest
    for name, bomb in target.shapes.bombs.items():
        for sizes in ((256, 2048), (limit // 8, limit)):
            small, large = (target.given(bomb(size)) for size in sizes)
            try:
                growths = {
                    "time": growth_of_time(target.judge, small, large),
                    "memory": growth_of_memory(target.judge, small, large),
                }
            except Exception as error:  # whatever it is, it is a fault of the reader
                yield f"{name} of {sizes}: {type(error).__name__}: {error}"
                continue
            for what, growth in growths.items():
                if growth > MOST:
                    yield f"{name}: {growth:.1f} times the {what} for a byte of {sizes[1]} as of {sizes[0]}"
