"""Checks again and again: how often, how many at once, and what an instance is by what came of them."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

from otel_resilience import HealthCheck, NoHealthyEndpointError, ServiceRegistry
from otel_resilience.discovery import checking
from otel_resilience.discovery.checking import Checking
from otel_resilience.discovery.endpoint_state import EndpointState
from otel_resilience.discovery.probes.answer import CannotProbeError
from otel_resilience.discovery.service_info import InstanceKey
from otel_resilience.testing import Draws
from tests.discovery.instances import eventually, info, ports
from tests.discovery.servers import grpc_server, hangs, nobody, says, tcp_server

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


async def test_what_cannot_be_asked_is_used_unchecked(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def cannot(*_: object) -> None:
        raise CannotProbeError("grpcio is not installed")

    monkeypatch.setattr(checking, "probe_grpc", cannot)
    heard: list[str | None] = []
    with Draws([0.0]):
        await Checking().run(InstanceKey("payments", "h", 1), HealthCheck(grpc=""), heard.append)
    assert heard == []
    assert "payments at h:1 is used unchecked: grpcio is not installed" in caplog.text


async def test_what_this_process_is_short_of_says_nothing_of_the_instance(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    answers: list[Exception | None] = [
        OSError(errno.EMFILE, "files"),
        OSError(errno.ECONNREFUSED, "no"),
        None,
    ]
    heard: list[str | None] = []
    done = asyncio.Event()

    async def probe(*_: object) -> None:
        if len(answers) == 1:
            done.set()
        if error := answers.pop(0):
            raise error

    monkeypatch.setattr(checking, "probe_tcp", probe)
    with Draws([0.0]):
        check = HealthCheck(tcp=True, interval=0.001)
        asking = asyncio.create_task(Checking().run(InstanceKey("payments", "h", 1), check, heard.append))
        await asyncio.wait_for(done.wait(), 10)
        await asyncio.sleep(0)
        asking.cancel()
    assert heard == ["Connection refused", None]
    assert "payments at h:1 could not be asked: Too many open files" in caplog.text


async def test_not_too_many_are_asked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    running = most = 0
    done = asyncio.Event()
    asked = 0

    async def slow(*_: object) -> None:
        nonlocal running, most, asked
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        asked += 1
        if asked == 50:
            done.set()

    monkeypatch.setattr(checking, "probe_tcp", slow)
    shared = Checking(most=3)
    with Draws([0.0]):
        tasks = [
            asyncio.create_task(
                shared.run(InstanceKey("s", "h", port), HealthCheck(tcp=True), lambda wrong: None)
            )
            for port in range(50)
        ]
        await asyncio.wait_for(done.wait(), 10)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert most == 3


async def test_intervals_have_a_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    async def well(*_: object) -> None:
        pass

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 4:
            raise asyncio.CancelledError

    monkeypatch.setattr(checking, "probe_tcp", well)
    monkeypatch.setattr(checking.asyncio, "sleep", sleep)
    with Draws([0.5, 0.0, 0.5, 1.0]), pytest.raises(asyncio.CancelledError):
        await Checking().run(
            InstanceKey("s", "h", 1), HealthCheck(tcp=True, interval=10.0), lambda wrong: None
        )
    assert slept == pytest.approx([0.5, 9.0, 10.0, 11.0])


def _grpc() -> AbstractContextManager[int]:
    return grpc_server({"shop.Payments": b"\x08\x01"})


@pytest.mark.parametrize(
    ("server", "asked"),
    [
        (lambda: tcp_server(says(OK)), {"http": "/health"}),
        (_grpc, {"grpc": "shop.Payments"}),
        (lambda: tcp_server(hangs), {"tcp": True}),
    ],
    ids=["http", "grpc", "tcp"],
)
def test_an_instance_falls_ill_and_recovers(
    server: Callable[[], AbstractContextManager[int]],
    asked: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "otel_resilience")
    check = HealthCheck(**asked, interval=0.02, timeout=2.0, unhealthy_threshold=2)
    with ServiceRegistry() as registry:
        with server() as port:
            registry.register(info(port, host="127.0.0.1", health_check=check))
            registry.register(info(1))  # unchecked: always used
            assert registry.discover_all("payments")[0].port == port
        eventually(lambda: ports(registry.discover_all("payments")) == [1])
        assert dict(registry.states())["payments", "127.0.0.1", port] is EndpointState.UNHEALTHY  # type: ignore[index] # a key is a tuple
        eventually(
            lambda: f"payments at 127.0.0.1:{port} is unhealthy" in caplog.text
        )  # said after it is in force
        registry.deregister(("payments", "10.0.0.7", 1))
        with pytest.raises(NoHealthyEndpointError, match="1 registered, 0 healthy"):
            registry.discover("payments")


def test_an_instance_that_comes_back_is_used_again() -> None:
    well = threading.Event()

    def answer(connection: socket.socket, over: threading.Event) -> None:
        says(OK if well.is_set() else b"HTTP/1.1 500 no\r\n\r\n")(connection, over)

    check = HealthCheck(http="/", interval=0.02, healthy_threshold=2)
    with tcp_server(answer) as port, ServiceRegistry() as registry:
        registry.register(info(port, host="127.0.0.1", health_check=check))
        eventually(lambda: registry.discover_all("payments") == [])
        # Registered again with another weight and the same check, it is as ill as before.
        registry.register(info(port, host="127.0.0.1", health_check=check, weight=5))
        assert registry.discover_all("payments") == []
        well.set()
        eventually(lambda: ports(registry.discover_all("payments")) == [port])
        assert registry.discover("payments").weight == 5


def test_another_check_begins_anew_and_none_at_all_ends_it() -> None:
    with nobody() as port, ServiceRegistry() as registry:
        registry.register(info(port, host="127.0.0.1", health_check=HealthCheck(tcp=True, interval=0.02)))
        eventually(lambda: registry.discover_all("payments") == [])
        registry.register(info(port, host="127.0.0.1", health_check=HealthCheck(tcp=True, interval=60.0)))
        assert ports(registry.discover_all("payments")) == [port]
        registry.register(info(port, host="127.0.0.1"))
        assert registry._catalogue._monitor._checked == {}


def test_an_answer_of_a_check_that_was_ended_counts_for_nothing() -> None:
    with ServiceRegistry() as registry:
        check = HealthCheck(tcp=True, interval=60.0, unhealthy_threshold=1)
        registry.register(info(health_check=check))
        [old] = registry._catalogue._monitor._checked["payments"].values()
        registry.deregister(info())
        registry.register(info(health_check=check))
        registry._catalogue._hear(old, "too late")
        assert ports(registry.discover_all("payments")) == [8080]
