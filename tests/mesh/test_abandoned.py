"""Calls that nobody brings to their end: the garbage collector ends them, wherever it happens to run."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable

import pytest

from otel_resilience import Endpoint, ServiceMesh
from tests.mesh.meshes import register
from tests.telemetry.observatory import Observatory

#: More than the mesh and telemetry hash the service's name in one call.
MOST_HASHES = 60


class Name(str):
    """A service's name that runs something when it is hashed for the ``countdown``-th time: under a lock, too."""

    __slots__ = ("countdown", "run")

    countdown: int
    run: Callable[[], object]

    def __hash__(self) -> int:
        self.countdown -= 1
        if self.countdown == 0:
            self.run()
        return super().__hash__()


class Cycle:
    """Garbage that only the collector finds."""

    def __init__(self, held: object) -> None:
        self.held = held
        self.itself = self


async def forever(endpoint: Endpoint) -> None:
    await asyncio.Event().wait()


def abandon(mesh: ServiceMesh) -> None:
    async def begin() -> None:
        coroutine = mesh.acall("payments", "charge", forever)
        coroutine.send(None)
        Cycle(coroutine)

    asyncio.run(begin())


def test_the_collector_may_run_in_the_midst_of_anything(caplog: pytest.LogCaptureFixture) -> None:
    name = Name("payments")
    name.countdown, name.run = 0, gc.collect
    gc.collect()
    gc.disable()
    try:
        with Observatory() as observatory, ServiceMesh() as mesh:
            register(mesh, (1, 2), name=name)
            for number in range(1, MOST_HASHES + 1):
                abandon(mesh)
                calling = threading.Thread(
                    target=lambda number=number: _call(mesh, name, number),
                    daemon=True,  # type: ignore[misc]  # of its default
                )
                calling.start()
                calling.join(10)
                assert not calling.is_alive(), f"hung where the name is hashed for time {number}"
                gc.collect()
            assert name.countdown > 0, "every place where a name is hashed was met"
            assert mesh.registry._load.busy() == ()  # type: ignore[attr-defined]  # the mesh's own registry
            counted = {
                dict(series)["resilience.outcome"]: count
                for series, count in observatory.points("resilience.executions").items()
            }
    finally:
        gc.enable()
    assert counted["success"] == MOST_HASHES
    assert counted.keys() == {"success", "cancelled"}
    assert "Failed to detach context" not in caplog.text


def _call(mesh: ServiceMesh, name: Name, number: int) -> None:
    name.countdown = number
    assert mesh.call(name, "charge", lambda endpoint: endpoint.port) in (1, 2)
