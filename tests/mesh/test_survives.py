"""What a mesh must survive: wrong options, threads, forks, cancellation, hanging endpoints, calls in calls."""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from otel_resilience import (
    Backoff,
    Bulkhead,
    Endpoint,
    Hedge,
    Retry,
    ServiceMesh,
    ServiceTimeoutError,
    Timeout,
)
from otel_resilience.discovery import catalogue
from otel_resilience.events import EndpointEjected
from otel_resilience.pipeline import Pipeline
from otel_resilience.testing import ManualClock, Recorder
from tests.discovery.instances import info
from tests.mesh.meshes import Dependency, register


def test_calls_in_calls_have_their_own_endpoints() -> None:
    with ServiceMesh() as mesh:
        register(mesh, (1,))
        register(mesh, (2,), name="ledger")

        def outer(endpoint: Endpoint) -> tuple[int, int, int]:
            inner = mesh.call("ledger", "book", lambda other: other.port)
            again = mesh.call("payments", "charge", lambda other: other.port)
            return endpoint.port, inner, again

        assert mesh.call("payments", "charge", outer) == (1, 2, 1)


def test_exact_under_eight_threads() -> None:
    with ServiceMesh() as mesh, Recorder() as recorder:
        register(mesh, range(1, 9))
        dependency = Dependency(1, 2)
        barrier = threading.Barrier(8)

        def work() -> int:
            barrier.wait()
            failed = 0
            for _ in range(400):
                try:
                    mesh.call("payments", "charge", dependency)
                except ConnectionError:
                    failed += 1
            return failed

        with ThreadPoolExecutor(8) as pool:
            failed = sum(pool.map(lambda _: work(), range(8)))
        assert len(dependency.asked) == 3200
        assert failed == dependency.count(1) + dependency.count(2)
        assert sorted(each.address for each in recorder.of(EndpointEjected)) == ["10.0.0.7:1", "10.0.0.7:2"]
        assert failed <= 10 + 2 * 8, "five in a row each, and what was under way"


def test_an_endpoint_that_hangs_behind_somebodys_timeout_is_ejected() -> None:
    async def hang(endpoint: Endpoint) -> None:
        if endpoint.port == 1:
            await asyncio.Event().wait()

    async def main(mesh: ServiceMesh, clock: ManualClock) -> None:
        for _ in range(10):
            task = asyncio.ensure_future(mesh.acall("payments", "charge", hang))
            for _ in range(5):
                await asyncio.sleep(0)
            clock.advance(11.0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    with ManualClock() as clock, ServiceMesh() as mesh:
        register(mesh, (1, 2))
        asyncio.run(main(mesh, clock))
        assert [key.port for key in mesh.ejected()] == [1]


def test_who_gives_up_early_says_nothing_of_the_endpoint() -> None:
    async def main(mesh: ServiceMesh) -> None:
        for _ in range(40):
            task = asyncio.ensure_future(
                mesh.acall("payments", "charge", lambda endpoint: asyncio.Event().wait())
            )
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    with ServiceMesh() as mesh:
        register(mesh, (1, 2))
        asyncio.run(main(mesh))
        assert list(mesh.ejected()) == []


def test_our_own_timeout_counts_against_the_endpoint() -> None:
    async def main(mesh: ServiceMesh) -> None:
        for _ in range(12):
            with pytest.raises(ServiceTimeoutError):
                await mesh.acall("payments", "charge", lambda endpoint: asyncio.Event().wait())

    with ServiceMesh() as mesh:
        register(mesh, (1, 2))
        mesh.set_timeout_policy("payments", Timeout(0.001))
        asyncio.run(main(mesh))
        assert len(list(mesh.ejected())) == 1


def test_gathered_calls_never_see_one_anothers_endpoint() -> None:
    from otel_resilience.context import endpoint as in_hand

    async def look(endpoint: Endpoint) -> bool:
        await asyncio.sleep(0)
        return in_hand.of("payments") is endpoint

    async def main(mesh: ServiceMesh) -> list[bool]:
        return await asyncio.gather(*(mesh.acall("payments", "charge", look) for _ in range(100)))

    with ServiceMesh() as mesh:
        register(mesh, range(1, 20))
        assert all(asyncio.run(main(mesh)))
        assert in_hand.of("payments") is None


def test_event_loops_and_threads_share_a_mesh() -> None:
    with ServiceMesh() as mesh:
        register(mesh, (1, 2, 3))
        mesh.set_bulkhead_policy("payments", Bulkhead(max_concurrency=2, max_queue=1000))
        mesh.set_retry_policy("payments", Retry(on=OSError, backoff=Backoff(initial=0.0)))
        dependency = Dependency(1)
        places = threading.Semaphore(2)

        async def call(endpoint: Endpoint) -> int:
            assert places.acquire(blocking=False), "more than two at a time"
            await asyncio.sleep(0)
            places.release()
            return dependency(endpoint)

        async def many() -> list[int]:
            return await asyncio.gather(*(mesh.acall("payments", "charge", call) for _ in range(100)))

        def call_in_thread(endpoint: Endpoint) -> int:
            assert places.acquire(blocking=False), "more than two at a time"
            places.release()
            return dependency(endpoint)

        def one_by_one() -> list[int]:
            return [mesh.call("payments", "charge", call_in_thread) for _ in range(100)]

        with ThreadPoolExecutor(4) as pool:
            answers = [
                pool.submit(asyncio.run, many()) if number % 2 else pool.submit(one_by_one)
                for number in range(4)
            ]
            ports = [port for answer in answers for port in answer.result(60)]
        assert len(ports) == 400
        assert set(ports) == {2, 3}
        assert [key.port for key in mesh.ejected()] == [1]


def test_a_hedge_goes_elsewhere() -> None:
    asked: list[int] = []

    async def slow_at_first(endpoint: Endpoint) -> int:
        asked.append(endpoint.port)
        if len(asked) == 1:
            await asyncio.Event().wait()
        return endpoint.port

    async def main(mesh: ServiceMesh) -> int:
        return await mesh.acall("payments", "charge", slow_at_first)

    with ServiceMesh(policies=_Hedged()) as mesh:
        register(mesh, (1, 2))
        won = asyncio.run(main(mesh))
        assert sorted(asked) == [1, 2]
        assert won == asked[1]


class _Hedged:
    """A policy file with a hedge in it."""

    def stated_for(self, service: str, operation: str) -> object:
        from otel_resilience.mesh.policies import Stated

        return Stated(policies={"hedge": Hedge(after=0.001)}, idempotent=True)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_begins_with_nobody_ejected() -> None:
    with ServiceMesh() as mesh:
        register(mesh, (1, 2))
        dependency = Dependency(1)
        for _ in range(20):
            try:
                mesh.call("payments", "charge", dependency)
            except ConnectionError:
                pass
        assert len(list(mesh.ejected())) == 1
        line = mesh.line("payments")
        with line.routes._lock, line._lock, mesh._lock, mesh._lines._lock, mesh._policies._lock:
            pid = os.fork()
            if pid == 0:
                well = False
                try:
                    mesh.set_bulkhead_policy("payments", Bulkhead(max_concurrency=3))
                    asked = {
                        mesh.call("payments", "charge", lambda endpoint: endpoint.port) for _ in range(4)
                    }
                    well = asked == {1, 2}
                finally:
                    os._exit(0 if well else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_a_pipeline_is_made_once_for_what_shares_it() -> None:
    with ServiceMesh() as mesh:
        register(mesh, (1,))
        line = mesh.line("payments")
        pipelines: set[Pipeline] = {line.routed(f"operation {number}").pipeline for number in range(100)}
        assert len(pipelines) == 1, "operations may come from users"


def test_services_that_come_and_go_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "REMEMBERED", 2)
    monkeypatch.setattr("otel_resilience.mesh.lines.SWEEP_ABOVE", 4)
    with ServiceMesh() as mesh:
        register(mesh, (1,))
        for number in range(40):
            register(mesh, (1,), name=f"job-{number}")
            mesh.call(f"job-{number}", "run", lambda endpoint: endpoint.port)
            mesh.registry.deregister((f"job-{number}", "10.0.0.7", 1))  # type: ignore[attr-defined]  # the mesh's own
            line = mesh.line("payments")
        assert len(mesh._lines) <= 8
        assert mesh.line("payments") is line, "what is known of a service that is there is kept"


def test_a_service_that_is_forgotten_during_a_call_takes_no_errors_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(catalogue, "REMEMBERED", 1)
    with ServiceMesh() as mesh:
        register(mesh, (1,))
        error = ConnectionError("mine")

        def fail(endpoint: Endpoint) -> None:
            for name in ("payments", "ledger", "mail"):
                mesh.registry.register(info(name=name)).deregister()  # type: ignore[attr-defined]  # the mesh's own
            mesh.registry.deregister(endpoint)  # type: ignore[attr-defined]  # the mesh's own registry
            mesh.registry.register(info(name="notes")).deregister()  # type: ignore[attr-defined]  # the mesh's own
            raise error

        with pytest.raises(ConnectionError) as caught:
            mesh.call("payments", "charge", fail)
        assert caught.value is error
        assert mesh.registry.spelled("payments") is None
        assert list(mesh.ejected()) == []
