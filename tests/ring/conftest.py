"""The ring, its stranger and what they report, each begun once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from otel_resilience.cli.demo.receiver import Receiver
from tests.ring.ring import Ring
from tests.ring.stranger import Stranger


@pytest.fixture(scope="session")
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


@pytest.fixture(scope="session")
def stranger() -> Iterator[Stranger]:
    with Stranger() as running:
        yield running


@pytest.fixture(scope="session")
def ring(receiver: Receiver, stranger: Stranger, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ring]:
    known = {"RING_STRANGER_URL": stranger.url, "RING_STRANGER_TARGET": stranger.target}
    with Ring(tmp_path_factory.mktemp("ring"), receiver.endpoint, known) as running:
        yield running
