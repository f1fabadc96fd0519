"""Give everything that reads from peers a great number of hostile inputs.

    python -m tests.fuzz [--inputs 1000000] [--seed 7] [--only error-chain]
    python -m tests.fuzz --seed 7 --input 123456          that one again

None may end in an exception that is not documented, none may cost more time or memory for a byte than a smaller one does. Inputs are the
same for the same seed. Progress goes to stderr, every ten seconds where that is no terminal; status 1 where a fault was found.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time

from tests.fuzz.run import Fault, Report, Run
from tests.fuzz.targets import TARGETS

_MOST_SHOWN = 20


class _Progress:
    def __init__(self, count: int) -> None:
        self._count = count
        self._began = self._told = time.monotonic()
        self._every = 0.5 if sys.stderr.isatty() else 10.0

    def __call__(self, report: Report) -> None:
        now = time.monotonic()
        if now - self._told < self._every:
            return
        self._told = now
        rate = report.inputs / (now - self._began)
        doing = f"{rate:,.0f} a second" if report.inputs < self._count else "now the bombs in all sizes"
        line = f"fuzz: {report.inputs:,} of {self._count:,} inputs, {len(report.faults)} failed, {doing}"
        print(line, end="\r" if sys.stderr.isatty() else "\n", file=sys.stderr, flush=True)


def main() -> int:
    """Run, and close with a line as pytest does."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--only", choices=[target.name for target in TARGETS], help="one reader alone")
    parser.add_argument("--input", type=int, help="show the input of this number and give it to its reader")
    arguments = parser.parse_args()
    logging.disable()  # what OpenTelemetry says of each broken baggage
    targets = [target for target in TARGETS if arguments.only in (None, target.name)]
    run = Run(arguments.seed, targets)
    if arguments.input is not None:
        target, given = run.drawn(arguments.input)
        print(f"{target.name}: {given!r}")
        target.judge(given)
        return 0
    began = time.monotonic()
    report = run.judged(arguments.inputs, _Progress(arguments.inputs))
    _show(report, arguments.seed)
    failed = len(report.faults)
    passed = report.inputs + report.checks - failed
    told = f"{failed} failed, {passed} passed" if failed else f"{passed} passed"
    print(f" {told} in {time.monotonic() - began:.2f}s ".center(80, "="))
    return 1 if failed else 0


def _show(report: Report, seed: int) -> None:
    for name, read in sorted(report.read.items()):
        worst = report.costs[name].worst
        print(f"{name:16} {read:9,} inputs, at most {worst.cost * 1e6:6.2f} µs a byte: {worst.given[:40]!r}")
    alike: dict[tuple[str, str], Fault] = {}
    for fault in report.faults:
        alike.setdefault((fault.target, fault.what.partition("\n")[0]), fault)
    for fault in list(alike.values())[:_MOST_SHOWN]:
        again = "" if fault.index is None else f"    (--seed {seed} --input {fault.index} shows it again)"
        print(f"FAILED {fault.target}: {fault.what}{again}")


if __name__ == "__main__":
    sys.exit(main())
