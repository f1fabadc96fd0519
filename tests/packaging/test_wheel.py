"""What the wheel and the source distribution hold, and what they say of themselves."""

from __future__ import annotations

import configparser
import re
import tarfile
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

EXTRAS = {"auto", "demo", "requests", "grpc", "flask", "httpx", "config", "cli"}
MODULE = "otel_resilience_instrumentation"
ENTRY_POINTS = {
    "console_scripts": {"otel-resilience": "otel_resilience.cli.main:main"},
    "opentelemetry_environment_variables": {"resilience": f"{MODULE}.environment"},
    "opentelemetry_instrumentor": {
        "resilience_flask": f"{MODULE}.flask:FlaskInstrumentor",
        "resilience_grpc": f"{MODULE}.grpc:GrpcInstrumentor",
        "resilience_httpx": f"{MODULE}.httpx:HttpxInstrumentor",
        "resilience_requests": f"{MODULE}.requests:RequestsInstrumentor",
    },
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


def requirements(metadata: Message, extra: str | None = None) -> set[str]:
    """The requirements of the base, or those that one extra adds."""
    found = set()
    for requirement in metadata.get_all("Requires-Dist", []):
        what, _, condition = requirement.partition(";")
        asked = re.search(r"extra == ['\"](\w+)['\"]", condition)
        if (asked.group(1) if asked else None) == extra:
            found.add(what.strip())
    return found


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
    assert {re.split(r"[<>=!~]", need)[0] for need in requirements(metadata)} == {"opentelemetry-api"}


def test_the_extras_are_those_that_are_promised(metadata: Message) -> None:
    extras = set(metadata.get_all("Provides-Extra", []))
    assert extras == EXTRAS
    assert "instruments" not in extras, "one missing library would switch off every entry point"


@pytest.mark.parametrize("extra", sorted(EXTRAS))
def test_every_requirement_has_a_lower_bound(metadata: Message, extra: str) -> None:
    needs = requirements(metadata, extra)
    bounded = {need.partition(">=")[0] for need in needs if ">=" in need}
    unbounded = {need for need in needs if ">=" not in need and not need.startswith("otel-resilience[")}
    assert needs
    assert {need for need in unbounded if not is_bounded_by_its_pin(need, bounded)} == set()
    assert [need for need in needs if "==" in need] == []


def is_bounded_by_its_pin(need: str, bounded: set[str]) -> bool:
    """Contrib packages pin `opentelemetry-instrumentation` exactly; a bound of their own is too much for pip 23."""
    contrib = need == "opentelemetry-distro" or need.startswith("opentelemetry-instrumentation-")
    return contrib and "opentelemetry-instrumentation" in bounded


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
