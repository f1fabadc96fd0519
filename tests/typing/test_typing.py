"""Signatures and types survive being guarded, by the judgement of two type checkers."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PROJECT = HERE.parents[1]


def mypy(file: str) -> str:
    if find_spec("mypy") is None:
        pytest.skip("mypy is not installed")
    return _complaints([sys.executable, "-m", "mypy", "--strict", "--no-error-summary", str(HERE / file)])


def pyright(file: str) -> str:
    if shutil.which("pyright", path=str(Path(sys.executable).parent)) is None:
        pytest.skip("pyright is not installed")
    return _complaints([sys.executable, "-m", "pyright", "--pythonpath", sys.executable, str(HERE / file)])


def _complaints(command: list[str]) -> str:
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return "\n".join(line for line in done.stdout.splitlines() if "error:" in line)


CHECKERS = pytest.mark.parametrize("check", [mypy, pyright], ids=lambda check: check.__name__)


@CHECKERS
@pytest.mark.timeout(320)
def test_right_use_is_of_the_right_types(check: object) -> None:
    assert callable(check)
    assert check("usage.py") == ""


@CHECKERS
@pytest.mark.timeout(320)
def test_every_wrong_use_is_refused_and_nothing_else(check: object) -> None:
    assert callable(check)
    refused = {int(line) for line in re.findall(r"misuse\.py:(\d+):", check("misuse.py"))}
    text = (HERE / "misuse.py").read_text(encoding="utf-8").splitlines()
    assert refused == {number for number, line in enumerate(text, 1) if line.endswith("# wrong")}
