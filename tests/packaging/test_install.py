"""The wheel in a fresh environment, installed with the pip that came with the Python."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from packaging.version import Version

from tests.packaging.environments import Environment

#: The pip that Python 3.11.7 brings, and with it the oldest resolver that the extras are promised to.
OLDEST_PIP = "23.2.1"


@pytest.fixture(scope="module")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment that has the wheel without any extra."""
    environment = Environment.fresh(tmp_path_factory.mktemp("bare"))
    environment.pip("install", str(wheel))
    return environment


def test_the_base_brings_the_telemetry_api_and_no_sdk(bare: Environment) -> None:
    installed = {package["name"] for package in json.loads(bare.pip("list", "--format=json"))}
    assert {"otel-resilience", "opentelemetry-api"} <= installed
    assert installed - {"pip", "setuptools", "wheel"} <= {
        "otel-resilience",
        "opentelemetry-api",
        "typing_extensions",
        "importlib_metadata",
        "zipp",
    }


def test_the_base_guards_a_function_without_any_extra(bare: Environment) -> None:
    code = """
        from otel_resilience import CircuitBreaker, Pipeline, Retry, Timeout
        guard = Pipeline("payments", Timeout(1.0), Retry(on=(OSError,)), CircuitBreaker())
        tries = []
        @guard
        def charge(amount):
            tries.append(amount)
            if len(tries) == 1:
                raise OSError
            return amount
        print(charge(3), len(tries))
    """
    assert bare.python("\n".join(line[8:] for line in code.splitlines())) == "3 2"


def test_the_names_of_the_environment_variables_need_no_extra(bare: Environment) -> None:
    code = "import otel_resilience_instrumentation.environment as e; print(e.OTEL_RESILIENCE_CONFIG)"
    assert bare.python(code) == "OTEL_RESILIENCE_CONFIG"


def test_the_command_says_what_it_can_do_without_any_extra(bare: Environment) -> None:
    done = bare.run("otel-resilience", "--help")
    assert done.returncode == 0, done.stderr
    assert "demo" in done.stdout
    assert "check" in done.stdout


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="each newer Python brings a newer pip")
def test_an_old_pip_finds_the_current_versions_of_every_extra(
    wheel: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    environment = Environment.fresh(tmp_path_factory.mktemp("old-pip"))
    environment.pip("install", f"pip=={OLDEST_PIP}")
    report = environment.folder / "report.json"
    asked = f"{wheel}[auto,demo,requests,grpc,flask,httpx,config,cli]"
    environment.pip("install", "--dry-run", "--quiet", "--report", str(report), asked)
    chosen = {
        entry["metadata"]["name"]: entry["metadata"]["version"]
        for entry in json.loads(report.read_text())["install"]
    }
    assert Version(chosen["opentelemetry-api"]) >= Version("1.43")
    contrib = {
        version for name, version in chosen.items() if name.startswith("opentelemetry-instrumentation")
    }
    assert len(contrib) == 1, f"contrib packages pin each other, yet here are {contrib}"
    assert Version(contrib.pop()) >= Version("0.64b0")
