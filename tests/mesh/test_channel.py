"""A gRPC channel by a service's name, against real servers."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent import futures
from typing import Any

import grpc
import pytest

from otel_resilience import (
    Backoff,
    CircuitBreaker,
    CircuitOpenError,
    NoHealthyEndpointError,
    Retry,
    RetryBudget,
    ServiceMesh,
    ServiceNotFoundError,
    ServiceTimeoutError,
    Timeout,
)
from otel_resilience.events import ExecutionFinished
from otel_resilience.outcome import Outcome
from otel_resilience.testing import Recorder, resilience_off
from tests.discovery.instances import eventually
from tests.mesh.meshes import register

ECHO = "/shop.v1.Payments/Echo"
REPEAT = "/shop.v1.Payments/Repeat"
JOIN = "/shop.v1.Payments/Join"
TALK = "/shop.v1.Payments/Talk"


class Payments:
    """A server on loopback that answers as it is told, and knows who asked for whom."""

    def __init__(self) -> None:
        self.status: grpc.StatusCode | None = None
        self.over = threading.Event()
        self.hang = False
        self.asked: list[str] = []
        self._server = grpc.server(futures.ThreadPoolExecutor(4))
        self._server.add_generic_rpc_handlers(
            (
                grpc.method_handlers_generic_handler(
                    "shop.v1.Payments",
                    {
                        "Echo": grpc.unary_unary_rpc_method_handler(self._echo),
                        "Repeat": grpc.unary_stream_rpc_method_handler(self._repeat),
                        "Join": grpc.stream_unary_rpc_method_handler(self._join),
                        "Talk": grpc.stream_stream_rpc_method_handler(self._talk),
                    },
                ),
            )
        )
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    def stop(self) -> None:
        self.over.set()
        self._server.stop(0).wait()

    def _enter(self, context: grpc.ServicerContext) -> None:
        authority = dict(context.invocation_metadata()).get(":authority", "")
        self.asked.append(str(authority))
        if self.hang:
            self.over.wait(5.0)
        if self.status is not None:
            context.abort(self.status, "as told")

    def _echo(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        self._enter(context)
        return request

    def _repeat(self, request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        yield request
        self._enter(context)
        yield request

    def _join(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
        self._enter(context)
        return b"".join(requests)

    def _talk(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        self._enter(context)
        yield from requests


@pytest.fixture
def servers() -> Iterator[list[Payments]]:
    running = [Payments(), Payments()]
    yield running
    for server in running:
        server.stop()


@pytest.fixture
def mesh(servers: list[Payments]) -> Iterator[ServiceMesh]:
    with ServiceMesh() as made:
        register(made, [server.port for server in servers], host="127.0.0.1")
        yield made


def asked(servers: list[Payments]) -> list[int]:
    return [len(server.asked) for server in servers]


def retry() -> Retry:
    budget = RetryBudget(ratio=1.0, min_per_second=1000.0)
    return Retry(on=grpc.RpcError, max_attempts=2, backoff=Backoff(initial=0.001), budget=budget)


def test_rpcs_are_balanced_not_connections(mesh: ServiceMesh, servers: list[Payments]) -> None:
    channel = mesh.channel("payments")
    assert isinstance(channel, grpc.Channel)
    echo = channel.unary_unary(ECHO)
    for _ in range(4):
        assert echo(b"x", timeout=5.0) == b"x"
    assert asked(servers) == [2, 2]


def test_every_kind_of_call(mesh: ServiceMesh, servers: list[Payments]) -> None:
    with mesh.channel("payments") as channel, Recorder() as recorder:
        answer, call = channel.unary_unary(ECHO).with_call(b"x")
        assert (answer, call.code()) == (b"x", grpc.StatusCode.OK)
        assert channel.unary_unary(ECHO).future(b"x").result(5.0) == b"x"
        assert list(channel.unary_stream(REPEAT)(b"x")) == [b"x", b"x"]
        assert channel.stream_unary(JOIN)(iter([b"a", b"b"])) == b"ab"
        assert channel.stream_unary(JOIN).future(iter([b"a", b"b"])).result(5.0) == b"ab"
        assert list(channel.stream_stream(TALK)(iter([b"a", b"b"]))) == [b"a", b"b"]
        eventually(lambda: len(recorder.of(ExecutionFinished)) == 6)
    assert {each.outcome for each in recorder.of(ExecutionFinished)} == {Outcome.SUCCESS}


def test_a_retry_goes_to_the_other_endpoint(mesh: ServiceMesh, servers: list[Payments]) -> None:
    mesh.set_retry_policy("payments", retry(), operation="shop.v1.Payments/Echo")
    servers[0].status = grpc.StatusCode.UNAVAILABLE
    with mesh.channel("payments") as channel:
        assert [channel.unary_unary(ECHO)(b"x") for _ in range(4)] == [b"x"] * 4
        assert asked(servers)[1] == 4
        with_retry = sum(asked(servers))
        servers[1].status = grpc.StatusCode.UNAVAILABLE
        with pytest.raises(grpc.RpcError):
            channel.stream_unary(JOIN)(iter([b"a"]))
        assert sum(asked(servers)) == with_retry + 1, "a request that is gone is not sent twice"


def test_a_method_that_nobody_called_idempotent_is_sent_once(
    mesh: ServiceMesh, servers: list[Payments]
) -> None:
    mesh.set_retry_policy("payments", retry())
    for server in servers:
        server.status = grpc.StatusCode.UNAVAILABLE
    with mesh.channel("payments") as channel, pytest.raises(grpc.RpcError):
        channel.unary_unary(ECHO)(b"x")
    assert sum(asked(servers)) == 1


@pytest.mark.parametrize(
    ("status", "ejected"), [(grpc.StatusCode.UNAVAILABLE, 1), (grpc.StatusCode.NOT_FOUND, 0)]
)
@pytest.mark.parametrize("kind", ["call", "future", "stream"])
def test_an_endpoint_that_keeps_failing_is_left_out(
    mesh: ServiceMesh, servers: list[Payments], kind: str, status: grpc.StatusCode, ejected: int
) -> None:
    servers[0].status = status
    with mesh.channel("payments") as channel, Recorder() as recorder:
        for number in range(20):
            try:
                _make(channel, kind)
            except grpc.RpcError as error:
                assert error.code() is status  # type: ignore[attr-defined]  # all of gRPC's have it
            eventually(lambda number=number: len(recorder.of(ExecutionFinished)) == number + 1)
        assert len(list(mesh.ejected())) == ejected
        assert asked(servers) == ([5, 15] if ejected else [10, 10])


def _make(channel: grpc.Channel, kind: str) -> Any:
    if kind == "call":
        return channel.unary_unary(ECHO)(b"x")
    if kind == "future":
        return channel.unary_unary(ECHO).future(b"x").result(5.0)
    return list(channel.unary_stream(REPEAT)(b"x"))


def test_rejections_and_timeouts_are_the_clients_own(mesh: ServiceMesh, servers: list[Payments]) -> None:
    channel = mesh.channel("payments")
    mesh.set_timeout_policy("payments", Timeout(0.05))
    for server in servers:
        server.hang = True
    with pytest.raises(grpc.RpcError) as late:
        channel.unary_unary(ECHO)(b"x")
    assert isinstance(late.value, ServiceTimeoutError)
    assert late.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED  # type: ignore[attr-defined]
    breaker = CircuitBreaker()
    mesh.set_circuit_breaker_policy("payments", breaker)
    breaker.force_open()
    for make in (
        channel.unary_unary(ECHO),
        lambda request: channel.unary_unary(ECHO).future(request).result(),
    ):
        with pytest.raises(grpc.RpcError) as refused:
            make(b"x")
        assert isinstance(refused.value, CircuitOpenError)
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE  # type: ignore[attr-defined]


@pytest.mark.parametrize("off", [False, True])
def test_nobody_healthy(mesh: ServiceMesh, servers: list[Payments], off: bool) -> None:
    channel = mesh.channel("payments")
    for server in servers:
        mesh.registry.deregister(("payments", "127.0.0.1", server.port))  # type: ignore[attr-defined]
    for kind in ("call", "future", "stream"):
        with pytest.raises(grpc.RpcError) as caught:
            if off:
                with resilience_off():
                    _make(channel, kind)
            else:
                _make(channel, kind)
        assert isinstance(caught.value, NoHealthyEndpointError)


def test_what_is_given_up_is_no_failure(mesh: ServiceMesh, servers: list[Payments]) -> None:
    for server in servers:
        server.hang = True
    with mesh.channel("payments") as channel, Recorder() as recorder:
        for _ in range(12):
            assert channel.unary_unary(ECHO).future(b"x").cancel()
        eventually(lambda: len(recorder.of(ExecutionFinished)) == 12)
        assert {each.outcome for each in recorder.of(ExecutionFinished)} == {Outcome.CANCELLED}
        assert list(mesh.ejected()) == []


def test_switched_off_it_still_finds_its_way(mesh: ServiceMesh, servers: list[Payments]) -> None:
    with mesh.channel("payments") as channel, resilience_off():
        assert [channel.unary_unary(ECHO)(b"x") for _ in range(4)] == [b"x"] * 4
        assert list(channel.unary_stream(REPEAT)(b"x")) == [b"x", b"x"]


def test_inside_a_call_of_the_mesh_its_endpoint_is_the_one(
    mesh: ServiceMesh, servers: list[Payments]
) -> None:
    by_port = {server.port: server for server in servers}
    with mesh.channel("payments") as channel, Recorder() as recorder:
        echo = channel.unary_unary(ECHO)
        for _ in range(4):
            before = {port: len(server.asked) for port, server in by_port.items()}
            port = mesh.call("payments", "charge", lambda endpoint: (echo(b"x"), endpoint.port)[1])
            assert len(by_port[port].asked) == before[port] + 1
    assert len(recorder.of(ExecutionFinished)) == 4


def test_whether_it_is_ready_can_be_asked(mesh: ServiceMesh) -> None:
    with mesh.channel("payments") as channel:
        grpc.channel_ready_future(channel).result(10.0)


def test_channels_to_endpoints_that_are_gone_are_let_go(mesh: ServiceMesh, servers: list[Payments]) -> None:
    from otel_resilience import Endpoint
    from otel_resilience.mesh.channel import MeshChannel

    channel = mesh.channel("payments")
    assert isinstance(channel, MeshChannel)
    for port in range(1, 100):
        channel.to(Endpoint(host="127.0.0.1", port=port, service="payments"))
    assert len(channel._channels._channels) <= 20


def test_closing_the_mesh_ends_what_is_under_way(mesh: ServiceMesh, servers: list[Payments]) -> None:
    for server in servers:
        server.hang = True
    channel = mesh.channel("payments")
    hanging = [channel.unary_unary(ECHO).future(b"x") for _ in range(4)]
    stream = channel.stream_stream(TALK)(iter([b"x"]))
    eventually(lambda: sum(asked(servers)) >= 5)
    with Recorder() as recorder:
        before = time.monotonic()
        mesh.close()
        assert time.monotonic() - before < 1.0
        assert {each.code() for each in (*hanging, stream)} == {grpc.StatusCode.CANCELLED}  # type: ignore[attr-defined]
        eventually(lambda: len(recorder.of(ExecutionFinished)) == 5)
    assert list(mesh.ejected()) == []


def test_unknown_services_and_closed_meshes() -> None:
    with ServiceMesh() as mesh:
        with pytest.raises(ServiceNotFoundError):
            mesh.channel("payments")
        register(mesh, (1,))
        echo = mesh.channel("payments").unary_unary(ECHO)
    with pytest.raises(RuntimeError, match="closed"):
        echo(b"x")
