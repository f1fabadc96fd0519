"""How many bare calls a statement costs: the only figure of a benchmark that holds on another day and another machine.

A case is one statement in a loop, compiled with its names as locals. In each round all cases run once, in shuffled order, the bare call among
them; a case's figure is the median over the rounds of its time by the bare call's in the same round, then the median over processes that were
begun afresh. Nanoseconds, which move by half between quiet and busy phases of a machine, are printed beside it.
"""

from __future__ import annotations

import gc
import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from itertools import repeat
from statistics import median
from typing import Any

Loop = Callable[[int], float]

_ROUND_SECONDS = 0.0025
_BARE = "bare call"


@dataclass(frozen=True, slots=True)
class Ratio:
    """What a case costs: in bare calls, and in nanoseconds of its quietest round."""

    calls: float
    nanoseconds: float


def bare(x: int) -> int:
    """The base of all ratios."""
    return x


def measure(cases: Mapping[str, tuple[str, Mapping[str, Any]]], rounds: int = 35) -> dict[str, Ratio]:
    """The ratios of ``cases``, statements with the names in them, measured in this process."""
    loops = {name: _loop(statement, names) for name, (statement, names) in cases.items() if name != _BARE} | {
        _BARE: _loop("bare(1)", {"bare": bare})
    }
    counts = {name: _calibrated(loop) for name, loop in loops.items()}
    times: dict[str, list[float]] = {name: [] for name in loops}
    order = list(loops)
    gc.collect()
    gc.freeze()
    try:
        for _ in range(rounds):
            random.shuffle(order)
            for name in order:
                gc.collect()
                times[name].append(loops[name](counts[name]) / counts[name])
    finally:
        gc.unfreeze()
    return {
        name: Ratio(
            median(own / base for own, base in zip(times[name], times[_BARE], strict=True)),
            min(times[name]) * 1e9,
        )
        for name in loops
    }


def measure_afresh(module: str, processes: int) -> dict[str, Ratio]:
    """The medians over ``processes`` runs of ``python -m module --once``, each of which prints ``as_json`` of its ratios."""
    runs = [
        json.loads(
            subprocess.run(
                [sys.executable, "-m", module, "--once"], check=True, stdout=subprocess.PIPE
            ).stdout
        )
        for _ in range(processes)
    ]
    return {
        name: Ratio(
            median(run[name]["calls"] for run in runs), median(run[name]["nanoseconds"] for run in runs)
        )
        for name in runs[0]
    }


def as_json(ratios: Mapping[str, Ratio]) -> str:
    """For ``measure_afresh``."""
    return json.dumps({name: asdict(ratio) for name, ratio in ratios.items()})


def _loop(statement: str, names: Mapping[str, Any]) -> Loop:
    source = (
        f"def loop(n, {', '.join(f'{name}={name}' for name in (*names, 'repeat', 'clock'))}):\n"
        f"    began = clock()\n"
        f"    for _ in repeat(None, n):\n"
        f"        {statement}\n"
        f"    return clock() - began\n"
    )
    scope = {**names, "repeat": repeat, "clock": time.perf_counter}
    exec(compile(source, "<case>", "exec"), scope)
    return scope["loop"]  # type: ignore[no-any-return]  # as the source above has it


def _calibrated(loop: Loop) -> int:
    count = 1
    while (took := loop(count)) < _ROUND_SECONDS / 4:
        count *= 2
    return max(1, round(count * _ROUND_SECONDS / took))
