"""The README's blocks are run, and what it names is there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from otel_resilience.config.load import load_config
from tests.packaging.readme import PROJECT, README, blocks


@pytest.mark.parametrize("code", blocks("python"))
def test_the_python_blocks_run(code: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("text", blocks("yaml"))
def test_the_policy_files_are_right_and_guard(text: str, tmp_path: Path) -> None:
    path = tmp_path / "resilience.yaml"
    path.write_text(text, encoding="utf-8")
    config = load_config(path)
    assert "payments" in str(config.pipeline("payments", "POST /charge").describe())


def test_the_targets_that_it_names_are_there() -> None:
    named = set(re.findall(r"^    make ([a-z-]+)", README, re.MULTILINE))
    targets = set(
        re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    )
    assert named
    assert named - targets == set()


def test_the_pages_that_it_links_are_there() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in link]
    assert links
    assert [link for link in links if not (PROJECT / link).exists()] == []
