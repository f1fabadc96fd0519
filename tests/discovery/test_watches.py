"""Who wants to know of changes."""

from __future__ import annotations

import threading

import pytest

from otel_resilience import Endpoint, HealthCheck, ServiceRegistry
from tests.discovery.instances import eventually, info, ports
from tests.discovery.servers import nobody


class Watcher:
    """Keeps what it is told, and by which thread."""

    def __init__(self) -> None:
        self.told: list[list[int]] = []
        self.threads: set[str] = set()

    def __call__(self, endpoints: list[Endpoint]) -> None:
        self.threads.add(threading.current_thread().name)
        self.told.append(ports(endpoints))

    def knows(self, *expected: int) -> bool:
        return bool(self.told) and self.told[-1] == list(expected)


def test_a_watch_is_told_now_and_at_each_change() -> None:
    watcher = Watcher()
    with ServiceRegistry() as registry:
        end = registry.watch("payments", watcher)
        eventually(lambda: watcher.knows())
        registry.register(info(1))
        eventually(lambda: watcher.knows(1))
        registry.register(info(2))
        registry.register(info(name="ledger"))
        eventually(lambda: watcher.knows(1, 2))
        registry.register(info(2))  # nothing changed
        registry.deregister(info(1))
        eventually(lambda: watcher.knows(2))
        assert watcher.told == [[], [1], [1, 2], [2]]
        assert watcher.threads == {"otel-resilience-watch-payments"}
        end()
        end()
        eventually(lambda: not _watching())
        registry.register(info(3))
    assert watcher.told[-1] == [2]


def test_a_watch_is_told_of_ends_of_leases_and_of_failed_checks() -> None:
    watcher = Watcher()
    with nobody() as port, ServiceRegistry() as registry:
        registry.register(info(1, ttl=0.05))
        registry.register(info(2))
        registry.register(info(port, host="127.0.0.1", health_check=HealthCheck(tcp=True, interval=0.02)))
        registry.watch("payments", watcher)
        eventually(lambda: watcher.knows(2))


def test_heartbeats_keep_a_lease_in_real_time() -> None:
    watcher = Watcher()
    with ServiceRegistry() as registry:
        registration = registry.register(info(1, ttl=0.5))
        registry.watch("payments", watcher)
        pause = threading.Event()
        for _ in range(15):
            pause.wait(0.1)
            assert registration.heartbeat()
        assert watcher.told == [[1]]
        eventually(lambda: watcher.knows())


def test_a_watch_that_hangs_holds_up_nobody() -> None:
    over = threading.Event()
    hanging: list[list[int]] = []
    watcher = Watcher()

    def hang(endpoints: list[Endpoint]) -> None:
        hanging.append(ports(endpoints))
        over.wait()

    with ServiceRegistry() as registry:
        registry.watch("payments", hang)
        registry.watch("payments", watcher)
        eventually(lambda: hanging == [[]])
        for port in (1, 2, 3):
            registry.register(info(port))
        assert ports(registry.discover_all("payments")) == [1, 2, 3]
        eventually(lambda: watcher.knows(1, 2, 3))
        over.set()
        eventually(lambda: hanging == [[], [1, 2, 3]])  # the newest only


@pytest.mark.parametrize("error", [ZeroDivisionError, SystemExit])
def test_a_watch_that_raises_is_told_the_next_time(
    caplog: pytest.LogCaptureFixture, error: type[BaseException]
) -> None:
    told: list[list[int]] = []

    def fail(endpoints: list[Endpoint]) -> None:
        told.append(ports(endpoints))
        raise error

    with ServiceRegistry() as registry:
        registry.watch("payments", fail)
        eventually(lambda: told == [[]])
        registry.register(info(1))
        eventually(lambda: told == [[], [1]])
    assert "a watch of service 'payments' raised" in caplog.text


def test_a_watch_may_use_the_registry_and_end_itself() -> None:
    seen: list[int] = []
    ends = []
    with ServiceRegistry() as registry:

        def look(endpoints: list[Endpoint]) -> None:
            if endpoints:
                seen.append(registry.discover("payments").port)
                registry.register(info(2))
                ends[0]()

        ends.append(registry.watch("payments", look))
        registry.register(info(1))
        eventually(lambda: not _watching())
        assert seen == [1]
        assert ports(registry.discover_all("payments")) == [1, 2]


def test_what_a_watch_does_with_its_list_hurts_nobody() -> None:
    watcher = Watcher()
    with ServiceRegistry() as registry:
        registry.register(info(1))
        registry.watch("payments", lambda endpoints: endpoints.clear())
        registry.watch("payments", watcher)
        eventually(lambda: watcher.knows(1))
        assert ports(registry.discover_all("payments")) == [1]


def test_only_a_function_watches() -> None:
    with ServiceRegistry() as registry, pytest.raises(TypeError, match="function"):
        registry.watch("payments", "callback")  # type: ignore[arg-type] # on purpose


def _watching() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("otel-resilience-watch")]
