"""What the mesh's tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from otel_resilience import ServiceMesh
from tests.instrumentation.http_server import ScriptedServer
from tests.mesh.meshes import register


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        yield running


@pytest.fixture
def servers() -> Iterator[list[ScriptedServer]]:
    with ScriptedServer() as one, ScriptedServer() as two:
        yield [one, two]


@pytest.fixture
def mesh(servers: list[ScriptedServer]) -> Iterator[ServiceMesh]:
    with ServiceMesh() as made:
        register(made, [server.port for server in servers], host="127.0.0.1")
        yield made
