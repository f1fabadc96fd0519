"""The running servers, each started once for all tests of this folder that need it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.backends.message_server import running_nats
from tests.backends.running import Backends, running_backends


@pytest.fixture(scope="session")
def backends(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backends]:
    """Jaeger, Prometheus, Alertmanager and a webhook; an error naming `make backends` if a program is missing."""
    with running_backends(tmp_path_factory.mktemp("backends")) as running:
        yield running


@pytest.fixture(scope="session")
def nats_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A NATS server with JetStream; an error naming `make backends` if its program is missing."""
    with running_nats(tmp_path_factory.mktemp("nats")) as url:
        yield url
