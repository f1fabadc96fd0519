"""A short run of the fuzzer in every suite (``make fuzz`` is the long one), and proof that it finds what it looks for."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.fuzz import shapes
from tests.fuzz.run import Run
from tests.fuzz.targets import Target

PROJECT = Path(__file__).parent.parent.parent


def test_ten_thousand_hostile_inputs() -> None:
    report = Run(seed=1).judged(10_000)
    assert [f"{fault.target} {fault.index}: {fault.what}" for fault in report.faults] == []
    assert report.inputs == 10_000
    assert min(report.read.values()) > 100


def test_the_inputs_of_a_seed_are_the_same_in_every_run() -> None:
    def drawn(seed: int) -> list[Any]:
        run = Run(seed)
        return [run.drawn(index)[1] for index in range(200)]

    assert drawn(1) == drawn(1) != drawn(2)
    assert Run(1).drawn(150)[1] == drawn(1)[150]


_SMALL = replace(shapes.BAGGAGE, bombs={"entries": shapes.BAGGAGE.bombs["entries"]}, largest=8192)
_kept: list[str] = []


def _raising(text: str) -> None:
    assert "," not in text


def _looking_again(text: str) -> None:
    for at in range(0, len(text), 32):
        list(text[at:])


def _copying(text: str) -> None:
    [text[at:] for at in range(0, len(text), 8)]


def _wasting(text: str) -> None:
    bytearray(1_000_000)


def _keeping(text: str) -> None:
    _kept.append(text * 500)


@pytest.mark.parametrize(
    ("judge", "found"),
    [
        (
            _raising,
            [r"AssertionError: .* in .*test_fuzz.py:\d+\n    of \d+: '", r"entries of .*: AssertionError"],
        ),
        (
            _looking_again,
            [
                r"entries: [\d.]+ times the time for a byte of 8192 as of 1024",
                r"a byte of \d+ costs [\d.]+ times a byte of its parts",
            ],
        ),
        (_copying, [r"entries: [\d.]+ times the memory for a byte of 8192 as of 1024"]),
        (_wasting, [r"\d+ bytes of memory for \d+: '"]),
        (_keeping, [r"\d+ bytes of memory are left behind"]),
    ],
)
def test_what_is_wrong_is_found(judge: Callable[[Any], None], found: list[str]) -> None:
    try:
        report = Run(1, [Target("planted", _SMALL, judge, 1)]).judged(1000)
    finally:
        _kept.clear()
    for pattern in found:
        assert any(re.match(pattern, fault.what, re.DOTALL) for fault in report.faults)


def test_the_command_closes_with_the_line_that_is_collected() -> None:
    arguments = ["--inputs", "300", "--only", "Retry-After", "--seed", "3"]
    ran = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", *arguments],
        check=False,
        cwd=PROJECT,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    *_, closing = ran.stdout.splitlines()
    assert re.fullmatch(r"=+ \d+ passed in [0-9.]+s =+", closing)
    (pattern,) = re.findall(r"grep -E '(\^=\+ \.\*.*)'\)", (PROJECT / ".ci" / "run").read_text())
    assert re.search(pattern, closing)
