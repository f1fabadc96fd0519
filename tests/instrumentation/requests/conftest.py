"""``requests`` under our instrumentation alone, and policies for the server that it asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from otel_resilience.context.request import Request
from otel_resilience_instrumentation._settings import Runtime
from otel_resilience_instrumentation.requests import RequestsInstrumentor
from tests.in_hand import request_in_hand
from tests.instrumentation.http_server import ScriptedServer
from tests.instrumentation.requests.exchange import Settings


@pytest.fixture
def instrumented(settings: Settings) -> Iterator[None]:
    settings()
    RequestsInstrumentor().instrument()
    yield
    RequestsInstrumentor().uninstrument()


@pytest.fixture
def policies(settings: Settings, server: ScriptedServer) -> Callable[[str], Runtime]:
    """Guard the server, as service ``ledger``, by the policies given as a YAML flow mapping."""
    return lambda text: settings(f'services: {{ledger: {{match: ["{server.address}"], {text}}}}}')


@pytest.fixture
def in_hand() -> Iterator[Request]:
    with request_in_hand() as current:
        yield current
