"""Who may import whom: rooms among themselves, and modules from outside."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.architecture.sources import PROJECT, is_within, modules, outside_imports

#: A module from outside, and the rooms that may know it.
KNOWN_BY: dict[str, tuple[str, ...]] = {
    "opentelemetry": (
        "otel_resilience.telemetry",
        "otel_resilience.defaults",
        "otel_resilience.context",
        "otel_resilience.cli.demo",  # its receiver speaks the messages of OTLP
        "otel_resilience_instrumentation",
    ),
    "opentelemetry.sdk": (),
    "opentelemetry.exporter": (),
    "opentelemetry.instrumentation": ("otel_resilience_instrumentation",),
    "opentelemetry.proto": ("otel_resilience.cli.demo",),
    "asyncio": (
        "otel_resilience.flow.async_driver",
        "otel_resilience.flow.async_race",
        "otel_resilience.flow.async_stream",
        "otel_resilience.discovery.background",
        "otel_resilience.discovery.checking",
        "otel_resilience.discovery.probes",
        "otel_resilience.testing",
        "otel_resilience_instrumentation._grpc_aio_call",
        "otel_resilience_instrumentation._grpc_aio_unary",
    ),
    "grpc": (
        "otel_resilience.discovery.probes.grpc",
        "otel_resilience.errors.dialects.grpc",
        "otel_resilience.errors.dialects.grpc_aio",
        "otel_resilience.mesh.channel",
        "otel_resilience.mesh.rpc",
        "otel_resilience.cli.demo",
        "otel_resilience_instrumentation",
    ),
    "requests": (
        "otel_resilience.errors.dialects.requests",
        "otel_resilience.mesh.adapter",
        "otel_resilience.mesh.session",
        "otel_resilience.cli.demo.shop",
        "otel_resilience_instrumentation",
    ),
    "httpx": ("otel_resilience_instrumentation",),
    "flask": ("otel_resilience.cli.demo.shop", "otel_resilience_instrumentation"),
    "wrapt": ("otel_resilience_instrumentation",),
    "structlog": (),
    "rich": ("otel_resilience.cli",),
    "yaml": ("otel_resilience.config.yaml_document", "otel_resilience.cli"),
    "tomllib": ("otel_resilience.config.toml_document",),
    "random": ("otel_resilience.chance", "otel_resilience.cli", "otel_resilience.testing"),
    "time": ("otel_resilience.clock", "otel_resilience.telemetry", "otel_resilience.cli"),
}

LINT_IMPORTS = "from importlinter.cli import lint_imports_command; lint_imports_command()"


def test_rooms_keep_the_import_contracts() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LINT_IMPORTS, "--no-cache", "--no-logo"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("outside", KNOWN_BY)
def test_a_module_from_outside_is_known_to_its_rooms_only(outside: str) -> None:
    strangers = {
        name: sorted(imported for imported in outside_imports(path) if is_within(imported, outside))
        for name, path in modules().items()
        if not any(is_within(name, room) for room in KNOWN_BY[outside])
    }
    assert {name: imported for name, imported in strangers.items() if imported} == {}


def test_importing_the_package_costs_no_event_loop_and_no_library() -> None:
    costly = ["asyncio", "grpc", "requests", "httpx", "flask", "yaml", "rich", "wrapt", "opentelemetry.sdk"]
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import sys, otel_resilience; print([n for n in {costly} if n in sys.modules])",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"


def test_every_folder_of_modules_is_a_package() -> None:
    folders = {path.parent for path in modules().values()}
    assert sorted(str(f.relative_to(PROJECT)) for f in folders if not (f / "__init__.py").exists()) == []
