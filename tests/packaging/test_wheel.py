"""What the wheel and the source distribution hold, and what they say of themselves."""

from __future__ import annotations

import configparser
import tarfile
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest
from packaging.requirements import Requirement

EXTRAS = {"auto", "demo", "requests", "grpc", "flask", "httpx", "httpx2", "config", "cli"}
CONTRIB = "opentelemetry-instrumentation"
MODULE = "otel_resilience_instrumentation"
ENTRY_POINTS = {
    "console_scripts": {"otel-resilience": "otel_resilience.cli.main:main"},
    "opentelemetry_environment_variables": {"resilience": f"{MODULE}.environment"},
    "opentelemetry_instrumentor": {
        "resilience_flask": f"{MODULE}.flask:FlaskInstrumentor",
        "resilience_grpc": f"{MODULE}.grpc:GrpcInstrumentor",
        "resilience_grpc_aio": f"{MODULE}.grpc_aio:GrpcAioInstrumentor",
        "resilience_httpx": f"{MODULE}.httpx:HttpxInstrumentor",
        "resilience_httpx2": f"{MODULE}.httpx:Httpx2Instrumentor",
        "resilience_requests": f"{MODULE}.requests:RequestsInstrumentor",
    },
    "pytest11": {"otel_resilience": "otel_resilience.testing.fixtures"},
    "opentelemetry_post_instrument": {"resilience": f"{MODULE}.post_instrument:post_instrument"},
}


def read(wheel: Path, name: str) -> str:
    """A file of the wheel's own description."""
    with zipfile.ZipFile(wheel) as archive:
        (path,) = (path for path in archive.namelist() if path.endswith(f".dist-info/{name}"))
        return archive.read(path).decode()


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    return Parser().parsestr(read(wheel, "METADATA"))


def requirements(metadata: Message, extra: str = "") -> dict[str, Requirement]:
    """The requirements of the base by their names, or those that one extra adds."""
    every = [Requirement(text) for text in metadata.get_all("Requires-Dist", [])]
    return {need.name: need for need in every if (f'"{extra}"' if extra else "None") in asked_by(need)}


def asked_by(need: Requirement) -> str:
    """The extra in whose name something is required, in quotation marks, or `None`."""
    return str(need.marker).rpartition("==")[2] if need.marker else "None"


def test_both_packages_are_in_the_wheel_and_typed(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    roots = {name.partition("/")[0] for name in names}
    assert roots == {"otel_resilience", MODULE, f"otel_resilience-{wheel.name.split('-')[1]}.dist-info"}
    assert {"otel_resilience/py.typed", f"{MODULE}/py.typed", "otel_resilience/__init__.py"} <= names
    assert not [name for name in names if name.endswith((".pyc", ".pyo"))]


def test_what_the_demo_reads_beside_its_code_is_in_the_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        assert "otel_resilience/cli/demo/shop/resilience.yaml" in archive.namelist()


def test_the_base_needs_the_telemetry_api_and_nothing_else(metadata: Message) -> None:
    assert set(requirements(metadata)) == {"opentelemetry-api"}


def test_the_extras_are_those_that_are_promised(metadata: Message) -> None:
    extras = set(metadata.get_all("Provides-Extra", []))
    assert extras == EXTRAS
    assert "instruments" not in extras, "one missing library would switch off every entry point"


@pytest.mark.parametrize("extra", sorted(EXTRAS))
def test_every_requirement_has_a_lower_bound(metadata: Message, extra: str) -> None:
    needs = requirements(metadata, extra)
    assert needs
    operators = {name: {bound.operator for bound in need.specifier} for name, need in needs.items()}
    unbounded = {name for name in needs if ">=" not in operators[name] and name != "otel-resilience"}
    assert {name for name in unbounded if not (is_pinned_contrib(name) and CONTRIB in needs)} == set()
    assert {name for name in needs if "==" in operators[name]} == set()


def is_pinned_contrib(name: str) -> bool:
    """Contrib packages pin one another exactly; bounds of their own are too much for the resolver of pip 23."""
    return name == "opentelemetry-distro" or name.startswith(f"{CONTRIB}-")


def test_the_entry_points_are_those_that_opentelemetry_looks_for(wheel: Path) -> None:
    parser = configparser.ConfigParser(delimiters=("=",))
    parser.read_string(read(wheel, "entry_points.txt"))
    assert {group: dict(parser[group]) for group in parser.sections()} == ENTRY_POINTS


def test_the_metadata_names_licence_and_pythons(metadata: Message) -> None:
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["License-File"] == "LICENSE"
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["Description-Content-Type"] == "text/markdown"


def test_the_source_distribution_holds_what_is_needed_to_work_on_it(source_distribution: Path) -> None:
    with tarfile.open(source_distribution) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {
        "pyproject.toml",
        "Makefile",
        "README.md",
        "LICENSE",
        "CHANGELOG.md",
        "tools/find-python",
    } <= names
    assert {"tests/packaging/test_wheel.py", "instrumentation/README.md"} <= names
    assert not [name for name in names if name.startswith((".venv", ".backends", ".git/"))]
