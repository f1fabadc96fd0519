"""What a process that uses only requests loads because of us: our own modules, and nothing else."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.benchmarks.import_cost import OFFICIAL_GRPC, OURS, command, environment
from tests.benchmarks.lean import lean_environment
from tests.instrumentation.http_server import ScriptedServer

#: How we are installed, not what we load: from 3.13 on Python reads the path file of an editable install with it.
_INSTALLED = {"encodings.utf_8_sig"}

_SCRIPT = """
import importlib.util, json, sys
import requests
assert requests.get(sys.argv[1]).status_code == 200
assert importlib.util.find_spec("grpc") is not None
print(json.dumps(sorted(sys.modules)))
"""


def modules_of(python: Path, script: Path, url: str) -> set[str]:
    """The modules of a process under ``opentelemetry-instrument`` after a call; exporters are ``none``."""
    done = subprocess.run(
        [*command(python, script), url], env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout))


@pytest.fixture
def with_us_and_without(tmp_path: Path) -> tuple[set[str], set[str]]:
    """The modules of both, where the official instrumentation of gRPC is not installed, and gRPC is."""
    script = tmp_path / "script.py"
    script.write_text(_SCRIPT)
    with_us = lean_environment(tmp_path / "with", without=(OFFICIAL_GRPC,))
    without = lean_environment(tmp_path / "without", without=(OFFICIAL_GRPC, OURS))
    with ScriptedServer() as server:
        return modules_of(with_us, script, server.url), modules_of(without, script, server.url)


def test_we_load_nothing_but_ourselves(with_us_and_without: tuple[set[str], set[str]]) -> None:
    with_us, without = with_us_and_without

    assert not {name for name in with_us if name.split(".")[0] in ("grpc", "yaml")}
    ours = {name for name in with_us if name.startswith("otel_resilience")}
    assert "otel_resilience_instrumentation._requests_call" in ours
    assert with_us - without - _INSTALLED == ours
