"""What the plugin's tests share: real spans in memory, real servers on loopback, settings from a real file."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otel_resilience_instrumentation import _settings
from tests.instrumentation.http_server import ScriptedServer

_exporter = InMemorySpanExporter()
_exported: list[TracerProvider] = []


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    """The finished spans of this test; a process has one provider for good, whoever set it."""
    provider = trace.get_tracer_provider()
    if not isinstance(provider, TracerProvider):
        provider = TracerProvider(resource=Resource.create({"service.name": "shop"}))
        trace.set_tracer_provider(provider)
    if provider not in _exported:
        provider.add_span_processor(SimpleSpanProcessor(_exporter))
        _exported.append(provider)
    _exporter.clear()
    yield _exporter
    _exporter.clear()


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Callable[..., _settings.Runtime]]:
    """Make the runtime anew, from the text of a policy file if one is given; the one before is put back."""
    before = _settings.use(None)

    def start(text: str | None = None, **arguments: str) -> _settings.Runtime:
        _settings.use(None)
        if text is not None:
            file = tmp_path / "resilience.yaml"
            file.write_text(textwrap.dedent(text))
            arguments["config"] = str(file)
        return _settings.start(**arguments)

    yield start
    _settings.use(before)


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        yield running
