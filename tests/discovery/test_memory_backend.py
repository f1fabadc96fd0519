"""The store in memory keeps the contract of all stores."""

from __future__ import annotations

import pytest

from otel_resilience import ServiceRegistry
from otel_resilience.discovery.backends.backend import Backend
from otel_resilience.discovery.backends.memory import MemoryBackend
from tests.discovery.backend_contract import BackendContract
from tests.discovery.instances import info, ports


class TestMemoryBackend(BackendContract):
    @pytest.fixture
    def backend(self) -> Backend:
        return MemoryBackend()


def test_registries_share_a_store() -> None:
    backend = MemoryBackend()
    backend.register(info(1))
    with ServiceRegistry(backend=backend) as one, ServiceRegistry(backend=backend) as other:
        one.register(info(2))
        other.register(info(3))
        assert ports(one.discover_all("payments")) == ports(other.discover_all("payments")) == [1, 2, 3]
        other.close()
        assert ports(one.discover_all("payments")) == [1, 2]
