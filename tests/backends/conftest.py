"""The running backends, started once for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.backends.running import Backends, running_backends


@pytest.fixture(scope="session")
def backends(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backends]:
    """Jaeger, Prometheus, Alertmanager and a webhook; an error naming `make backends` if a program is missing."""
    with running_backends(tmp_path_factory.mktemp("backends")) as running:
        yield running
