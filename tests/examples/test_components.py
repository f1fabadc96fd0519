"""Every example runs, and prints what it says it shows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

COMPONENTS = Path(__file__).parents[2] / "examples" / "components"
SCRIPTS = sorted(COMPONENTS.glob("*.py"))


def test_each_of_the_eight_components_has_its_example() -> None:
    assert [script.stem.split("_", 1)[1] for script in SCRIPTS] == [
        "service_registry",
        "circuit_breaker",
        "distributed_tracer",
        "error_propagator",
        "service_mesh",
        "timeout_handler",
        "bulkhead",
        "correlation_manager",
    ]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_the_example_prints_what_it_shows(script: Path) -> None:
    run = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout == (COMPONENTS / "expected" / f"{script.stem}.txt").read_text(encoding="utf-8")
