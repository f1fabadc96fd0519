"""What the mesh's tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.instrumentation.http_server import ScriptedServer


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        yield running
