"""What the tests of ``httpx`` share: clients of both worlds under our instrumentation, and a server with policies."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest

from otel_resilience_instrumentation._settings import Runtime
from otel_resilience_instrumentation.httpx import HttpxInstrumentor
from tests.instrumentation.http_server import ScriptedServer
from tests.instrumentation.httpx.worlds import InAThread, Make

Settings = Callable[..., Runtime]

PATCHED = [
    (client, name)
    for client in (httpx.AsyncClient, httpx.Client)
    for name in ("send", "_send_single_request")
]


@pytest.fixture(autouse=True)
def instrumented(settings: Settings) -> Iterator[None]:
    before = [getattr(client, name) for client, name in PATCHED]
    settings()
    HttpxInstrumentor().instrument()
    yield
    HttpxInstrumentor().uninstrument()
    assert [getattr(client, name) for client, name in PATCHED] == before


@pytest.fixture(params=[httpx.AsyncClient, InAThread], ids=["async", "sync"])
def make(request: pytest.FixtureRequest) -> Make:
    made: Make = request.param
    return made


@pytest.fixture
async def client(make: Make) -> AsyncIterator[Any]:
    async with make() as client:
        yield client


@pytest.fixture
def policies(settings: Settings, server: ScriptedServer) -> Callable[[str], Runtime]:
    return lambda text: settings(f'services: {{ledger: {{match: ["{server.address}"], {text}}}}}')
