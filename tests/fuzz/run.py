"""A run: inputs by number, each given to one reader; what is wrong with any of them, and what they cost."""

from __future__ import annotations

import time
import traceback
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random

from tests.fuzz.costs import WorstCosts, growing_bombs
from tests.fuzz.growth import peak
from tests.fuzz.targets import TARGETS, Target
from tests.fuzz.texts import draw

#: Bytes of memory for a byte of input, and for none: a list of tiny items costs some hundreds for a byte.
MEMORY_PER_BYTE, MEMORY = 600, 64 * 1024
#: Bytes that all inputs together may leave behind: caches that are bounded.
KEPT = 512 * 1024
#: One of so many inputs is read again while memory is measured, which takes five times as long.
_MEASURED = 50


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong: at which input (``None``: with no single one), and how."""

    target: str
    index: int | None
    what: str


@dataclass(slots=True)
class Report:
    """What a run found."""

    inputs: int = 0
    checks: int = 0
    faults: list[Fault] = field(default_factory=list)
    read: Counter[str] = field(default_factory=Counter)
    costs: dict[str, WorstCosts] = field(default_factory=dict)


class Run:
    """The inputs of ``seed``: the one of a number is the same in every run."""

    def __init__(self, seed: int, targets: Sequence[Target] = TARGETS) -> None:
        self._seed = seed
        self._targets = targets
        self._chosen = [target for target in targets for _ in range(target.weight)]
        self._chance = Random()

    def drawn(self, index: int) -> tuple[Target, str | bytes]:
        """The input of that number, and who reads it."""
        self._chance.seed(self._seed << 40 | index)
        target = self._chosen[int(self._chance.random() * len(self._chosen))]
        return target, target.given(draw(self._chance, target.shapes))

    def judged(self, count: int, on_progress: Callable[[Report], None] = lambda report: None) -> Report:
        """What ``count`` inputs show, and the bombs in all sizes after them."""
        report = Report(costs={target.name: WorstCosts(target.judge) for target in self._targets})
        for index in range(count):
            self._judge(index, report)
            if index % 1000 == 999:
                on_progress(report)
        report.faults += self._faults_of_memory(count, report)
        for target in self._targets:
            report.checks += 4 * len(target.shapes.bombs) + 1
            wrong = (*report.costs[target.name].growing(), *growing_bombs(target))
            report.faults += [Fault(target.name, None, what) for what in wrong]
            on_progress(report)
        return report

    def _judge(self, index: int, report: Report) -> None:
        target, given = self.drawn(index)
        report.inputs += 1
        report.read[target.name] += 1
        began = time.thread_time()
        try:
            target.judge(given)
        except Exception as error:  # whatever it is, it is the fault that is looked for
            report.faults.append(Fault(target.name, index, _told(error, given)))
            return
        report.costs[target.name].note(given, time.thread_time() - began)

    def _faults_of_memory(self, count: int, report: Report) -> Iterator[Fault]:
        faulty = {fault.index for fault in report.faults}
        tracemalloc.start()
        try:
            for index in range(min(count, 1000)):  # what is made once is made
                self.drawn(index)
            before, _ = tracemalloc.get_traced_memory()
            for index in range(0, count, _MEASURED):
                if index in faulty:
                    continue
                target, given = self.drawn(index)
                report.checks += 1
                held = peak(target.judge, given)
                if held > MEMORY + MEMORY_PER_BYTE * len(given):
                    yield Fault(
                        target.name, index, f"{held} bytes of memory for {len(given)}: {given[:80]!r}"
                    )
            kept = tracemalloc.get_traced_memory()[0] - before
        finally:
            tracemalloc.stop()
        if kept > KEPT:
            yield Fault("all", None, f"{kept} bytes of memory are left behind")


def _told(error: Exception, given: str | bytes) -> str:
    """The error, where it was raised, and what was read: alike for faults that are alike but for the last line."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} in {where.filename}:{where.lineno}\n    of {len(given)}: {given[:300]!r}"
