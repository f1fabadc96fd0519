"""What the tests of ``httpx`` share: clients of both worlds under our instrumentation, and a server with policies."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from otel_resilience_instrumentation._settings import Runtime
from otel_resilience_instrumentation.httpx import Httpx2Instrumentor, HttpxInstrumentor
from tests.instrumentation.http_server import ScriptedServer
from tests.instrumentation.httpx.worlds import World

Settings = Callable[..., Runtime]

INSTRUMENTORS = (HttpxInstrumentor, Httpx2Instrumentor)


@pytest.fixture(params=["httpx", "httpx2"])
def library(request: pytest.FixtureRequest) -> Any:
    return pytest.importorskip(request.param)


@pytest.fixture(autouse=True)
def instrumented(library: Any, settings: Settings) -> Iterator[None]:
    patched = [
        (client, name)
        for client in (library.AsyncClient, library.Client)
        for name in ("send", "_send_single_request")
    ]
    before = [getattr(client, name) for client, name in patched]
    settings()
    for kind in INSTRUMENTORS:
        kind().instrument()
    yield
    for kind in INSTRUMENTORS:
        kind().uninstrument()
    assert [getattr(client, name) for client, name in patched] == before


@pytest.fixture(params=[False, True], ids=["async", "sync"])
def world(request: pytest.FixtureRequest, library: Any) -> World:
    return World(library, threads=request.param)


@pytest.fixture
async def client(world: World) -> AsyncIterator[Any]:
    async with world.client() as client:
        yield client


@pytest.fixture
def policies(settings: Settings, server: ScriptedServer) -> Callable[[str], Runtime]:
    return lambda text: settings(f'services: {{ledger: {{match: ["{server.address}"], {text}}}}}')
