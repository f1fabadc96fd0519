"""Wrong options, and functions that are not for a mesh: one clear error, and nothing half-built."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from otel_resilience import ConfigurationError, Endpoint, Retry, ServiceMesh, Timeout
from tests.mesh.meshes import register


@pytest.mark.parametrize(
    ("service", "operation", "policy", "words"),
    [
        ("", None, Retry(on=OSError), "service"),
        ("payments", "", Retry(on=OSError), "operation"),
        ("payments", None, Timeout(1.0), "must be a Retry"),
    ],
)
def test_wrong_policies_are_refused(service: str, operation: str | None, policy: object, words: str) -> None:
    with ServiceMesh() as mesh, pytest.raises(ConfigurationError, match=words):
        mesh.set_retry_policy(service, policy, operation=operation)  # type: ignore[arg-type]  # that is the point


def test_a_wrong_zone_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="zone"):
        ServiceMesh(zone="")


def test_a_coroutine_function_is_not_for_call() -> None:
    async def coroutine(endpoint: Endpoint) -> None: ...

    with ServiceMesh() as mesh, pytest.raises(TypeError, match="acall"):
        mesh.call("payments", "charge", coroutine)


def test_what_gives_items_one_by_one_is_not_for_either() -> None:
    def items(endpoint: Endpoint) -> Iterator[int]:
        yield endpoint.port

    async def aitems(endpoint: Endpoint) -> AsyncIterator[int]:
        yield endpoint.port

    with ServiceMesh() as mesh:
        register(mesh, (1,))
        for generator in (items, aitems):
            with pytest.raises(TypeError, match=r"call\(\) is for plain functions, .*items is none"):
                mesh.call("payments", "list", generator)
            with pytest.raises(
                TypeError, match=r"acall\(\) is for .*items is a generator: guard what reads it"
            ):
                asyncio.run(mesh.acall("payments", "list", generator))
        assert len(mesh._lines) == 0
