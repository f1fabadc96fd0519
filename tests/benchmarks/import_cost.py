"""What we add to the start of a process that uses only requests, over ``opentelemetry-instrument`` alone.

    python -m tests.benchmarks.import_cost [--runs 40]

Both sides are environments without the official gRPC instrumentation; from one of them we are absent altogether. Exporters are ``none`` and
bytecode is cached. The runs take turns, and the fastest of each side counts: everything slower is the machine's doing.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.lean import lean_environment

OFFICIAL_GRPC = "opentelemetry-instrumentation-grpc"
OURS = "otel-resilience"
_AGENT = "from opentelemetry.instrumentation.auto_instrumentation import run; run()"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Milliseconds: by the clock on the wall, and of processor time."""

    wall: float
    processor: float

    def __sub__(self, other: Cost) -> Cost:
        return Cost(wall=self.wall - other.wall, processor=self.processor - other.processor)

    def __str__(self) -> str:
        return f"{self.wall:7.1f} ms ({self.processor:.1f} ms of processor time)"


def command(python: Path, script: Path) -> list[str]:
    """``opentelemetry-instrument python script``, all by the interpreter ``python``."""
    return [str(python), "-c", _AGENT, str(python), str(script)]


def environment() -> dict[str, str]:
    """The variables of this process without those that change what is measured."""
    known = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "PYTHON"))}
    return known | {f"OTEL_{signal}_EXPORTER": "none" for signal in ("TRACES", "METRICS", "LOGS")}


def measure(folder: Path, runs: int) -> tuple[Cost, Cost]:
    """The start of a process without us and with us, made in ``folder``: of each the fastest of ``runs``."""
    script = folder / "script.py"
    script.write_text("import requests\n")
    without = lean_environment(folder / "without", without=(OFFICIAL_GRPC, OURS))
    with_us = lean_environment(folder / "with", without=(OFFICIAL_GRPC,))
    sides = [command(python, script) for python in (without, with_us)]
    for side in sides:
        _run(side)  # writes the bytecode
    costs = [[_run(side) for side in sides] for _ in range(runs)]
    before, after = (
        Cost(wall=min(cost.wall for cost in side), processor=min(cost.processor for cost in side))
        for side in zip(*costs, strict=True)
    )
    return before, after


def _run(arguments: list[str]) -> Cost:
    began = time.perf_counter()
    process = subprocess.Popen(arguments, env=environment())
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, arguments)
    return Cost(wall=wall * 1000, processor=(used.ru_utime + used.ru_stime) * 1000)


def main() -> int:
    """Print the cost."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=40)
    with tempfile.TemporaryDirectory() as folder:
        before, after = measure(Path(folder), parser.parse_args().runs)
    print(f"opentelemetry-instrument alone {before}")
    print(f"with otel-resilience           {after}")
    print(f"our part                       {after - before}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
