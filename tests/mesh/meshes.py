"""Meshes for tests, in both worlds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from otel_resilience import Endpoint, ServiceMesh
from tests.discovery.instances import info


class World(Protocol):
    """Makes calls through a mesh."""

    def call(self, mesh: ServiceMesh, fn: Callable[[Endpoint], Any], operation: str = "charge") -> Any: ...


class Threads:
    def call(self, mesh: ServiceMesh, fn: Callable[[Endpoint], Any], operation: str = "charge") -> Any:
        return mesh.call("payments", operation, fn)

    def __repr__(self) -> str:
        return "threads"


class Asyncio:
    def call(self, mesh: ServiceMesh, fn: Callable[[Endpoint], Any], operation: str = "charge") -> Any:
        async def coroutine(endpoint: Endpoint) -> Any:
            return fn(endpoint)

        return asyncio.run(mesh.acall("payments", operation, coroutine))

    def __repr__(self) -> str:
        return "asyncio"


WORLDS: list[World] = [Threads(), Asyncio()]


def register(mesh: ServiceMesh, ports: Iterable[int], **more: Any) -> None:
    for port in ports:
        mesh.registry.register(info(port, **more))  # type: ignore[attr-defined]  # the mesh's own registry has it


class Dependency:
    """Fails at some ports; knows who was asked."""

    def __init__(self, *failing: int) -> None:
        self.failing = set(failing)
        self.asked: list[int] = []

    def __call__(self, endpoint: Endpoint) -> int:
        self.asked.append(endpoint.port)
        if endpoint.port in self.failing:
            raise ConnectionError(f"{endpoint.port} is down")
        return endpoint.port

    def count(self, port: int) -> int:
        return self.asked.count(port)
