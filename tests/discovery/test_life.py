"""What runs behind: begins when needed, ends in time, holds up nobody, and does not cross a fork."""

from __future__ import annotations

import gc
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from otel_resilience import Endpoint, HealthCheck, ServiceRegistry
from otel_resilience.discovery.backends.memory import MemoryBackend
from tests.discovery.instances import eventually, info, ports
from tests.discovery.servers import hangs, nobody, tcp_server


def _ours() -> list[str]:
    """The threads of discovery; those of the workers' pools have a space where these have a hyphen, and end when idle."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("otel-resilience-")]


def test_without_checks_leases_and_watches_there_is_no_thread() -> None:
    with ServiceRegistry() as registry:
        registry.register(info())
        registry.discover("payments")
        assert _ours() == []


def test_everything_ends_within_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: over.wait())
    hanging: list[Endpoint] = []

    def hang(endpoints: list[Endpoint]) -> None:
        hanging.extend(endpoints)
        over.wait()

    with tcp_server(hangs) as port:
        registry = ServiceRegistry()
        check: dict[str, Any] = {"interval": 0.01, "timeout": 60.0}
        registry.register(info(port, host="127.0.0.1", health_check=HealthCheck(http="/", **check)))
        registry.register(info(port, host="localhost", health_check=HealthCheck(tcp=True, **check)))
        registry.register(info(port, host="127.0.0.2", health_check=HealthCheck(grpc="", **check), ttl=60.0))
        for _ in range(3):
            registry.watch("payments", hang)
        eventually(lambda: bool(hanging) and "otel-resilience-resolver" in _ours())
        before = time.monotonic()
        registry.close()
        assert time.monotonic() - before < 1.0
        assert "otel-resilience-discovery" not in _ours()
        over.set()
        eventually(lambda: _ours() == [])


def test_a_watch_may_close_the_registry() -> None:
    registry = ServiceRegistry()
    registry.watch("payments", lambda endpoints: registry.close())
    eventually(lambda: _ours() == [])


def test_a_registry_that_is_dropped_ends_too() -> None:
    backend = MemoryBackend()
    registry = ServiceRegistry(backend=backend)
    registry.register(info(ttl=60.0, health_check=HealthCheck(tcp=True)))
    registry.watch("payments", lambda endpoints: None)
    del registry
    gc.collect()
    eventually(lambda: _ours() == [])
    assert backend._subscribers == ()


def test_a_lookup_takes_no_lock_that_anybody_holds() -> None:
    with ServiceRegistry("least_request") as registry:
        registry.register(info(1, ttl=60.0, tags=["blue"]))
        registry.register(info(2))
        found: list[int] = []

        def look() -> None:
            found.append(registry.discover("payments").port)
            found.append(registry.discover("payments", tags=["blue"]).port)
            found.extend(ports(registry.discover_all("payments")))

        with registry._lock, registry._catalogue._lock, registry._backend._lock, registry._load._lock:  # type: ignore[attr-defined] # of the store in memory
            looking = threading.Thread(target=look, daemon=True)
            looking.start()
            looking.join(10)
            assert len(found) == 4


def test_a_lookup_touches_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    with ServiceRegistry() as registry:
        registry.register(info(host="payments.internal"))

        def touched(*_: object, **__: object) -> Any:
            raise AssertionError("the network")

        for name in ("socket", "getaddrinfo", "create_connection"):
            monkeypatch.setattr(socket, name, touched)
        assert registry.discover("payments").host == "payments.internal"


def test_lookups_and_changes_side_by_side() -> None:
    with ServiceRegistry() as registry:
        registry.register(info(1))
        over = threading.Event()
        broken: list[BaseException] = []

        def look() -> None:
            try:
                while not over.is_set():
                    assert registry.discover("payments").service == "payments"
                    assert 1 in ports(registry.discover_all("payments"))
            except BaseException as error:
                broken.append(error)

        def change(number: int) -> None:
            for _ in range(50):
                with registry.register(info(100 + number, ttl=60.0)):
                    registry.discover("payments", tags=())

        looking = [threading.Thread(target=look) for _ in range(2)]
        changing = [threading.Thread(target=change, args=(number,)) for number in range(6)]
        for thread in (*looking, *changing):
            thread.start()
        for thread in changing:
            thread.join()
        over.set()
        for thread in looking:
            thread.join()
        assert broken == []
        assert ports(registry.discover_all("payments")) == [1]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_a_forked_child_looks_up_checks_and_watches() -> None:
    def live(registry: ServiceRegistry, told: list[list[int]], port: int) -> bool:
        first = ports(registry.discover_all("payments"))
        eventually(lambda: ports(registry.discover_all("payments")) == [1])
        eventually(lambda: bool(told) and told[-1] == [1])
        with registry.register(info(2)):
            second = ports(registry.discover_all("payments"))
        registry.close()
        return first == [1, port] and second == [1, 2] and "otel-resilience-discovery" not in _ours()

    told: list[list[int]] = []
    with nobody() as port, ServiceRegistry() as registry:
        registry.register(info(1))
        registry.register(info(port, host="127.0.0.1", ttl=60.0))
        registry.watch("payments", lambda endpoints: told.append(ports(endpoints)))
        eventually(lambda: told == [[1, port]])
        # From here on the checked one fails in the child; the parent's own check is far off.
        registry.register(
            info(
                port,
                host="127.0.0.1",
                health_check=HealthCheck(tcp=True, interval=0.05, unhealthy_threshold=20),
            )
        )
        with registry._catalogue._lock, registry._lock:  # as another thread might at the moment of the fork
            child = os.fork()
            if child == 0:
                try:
                    told.clear()
                    os._exit(0 if live(registry, told, port) else 1)
                finally:
                    os._exit(2)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0


@contextmanager
def held_elsewhere(lock: threading.Condition) -> Iterator[None]:
    """Another thread holds ``lock``."""
    held, over = threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            held.set()
            over.wait()

    holding = threading.Thread(target=hold)
    holding.start()
    held.wait()
    try:
        yield
    finally:
        over.set()
        holding.join()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
@pytest.mark.parametrize("looks_first", [True, False])
def test_a_forked_child_can_end_a_watch_and_close(looks_first: bool) -> None:
    def live() -> bool:
        if looks_first:
            registry.discover_all("payments")
            eventually(lambda: len(told) == 1)
        told.clear()
        end()
        registry.register(info(2))
        eventually(lambda: not any(name.startswith("otel-resilience-watch") for name in _ours()))
        registry.close()
        return told == []

    told: list[list[int]] = []
    with ServiceRegistry() as registry:
        registry.register(info(1))
        end = registry.watch("payments", lambda endpoints: told.append(ports(endpoints)))
        eventually(lambda: told == [[1]])
        told.clear()
        [watch] = registry._catalogue._crew._watches
        with held_elsewhere(watch._changed):  # as by the watch's own thread at the moment of the fork
            child = os.fork()
            if child == 0:
                try:
                    threading.Timer(20.0, lambda: os._exit(3)).start()
                    os._exit(0 if live() else 1)
                finally:
                    os._exit(2)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0


def test_a_registry_left_open_does_not_keep_the_interpreter() -> None:
    program = (
        "import socket, threading; from otel_resilience import *\n"
        "registry = ServiceRegistry()\n"
        "socket.getaddrinfo = lambda *_, **__: threading.Event().wait()\n"
        "registry.register(ServiceInfo(name='a', host='a.invalid', port=1, ttl=60,"
        " health_check=HealthCheck(tcp=True, interval=0.01, timeout=60)))\n"
        "busy = threading.Event()\n"
        "registry.watch('a', lambda endpoints: (busy.set(), threading.Event().wait()))\n"
        "busy.wait(); print('over', flush=True)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-X", "dev", "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"over\n"
    before = time.monotonic()
    _, errors = process.communicate(timeout=30)
    assert time.monotonic() - before < 2.0  # the interpreter's own end included
    assert (process.returncode, errors) == (0, b"")
