"""What goes out with an RPC, and what is read from one that failed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

from otel_resilience.context import correlation
from otel_resilience.errors.adopt import error_chain
from otel_resilience.errors.codes import code_of
from otel_resilience.errors.hop import HopKind
from otel_resilience.events import ExecutionFinished, FieldDiscarded
from otel_resilience.testing import Recorder
from otel_resilience_instrumentation._settings import Runtime
from tests.in_hand import request_in_hand
from tests.instrumentation.grpc.policies import CHAIN, FINAL_CHAIN, THREE_ATTEMPTS
from tests.instrumentation.grpc.rpc_server import Client, RpcServer, aborting

Settings = Callable[..., Runtime]


def test_an_unguarded_call_goes_out_with_its_fields(server: RpcServer, client: Client) -> None:
    token = correlation.enter("order-17")
    try:
        assert client.get(b"x") == b"ok"
    finally:
        correlation.leave(token)
    (asked,) = server.asked
    assert asked.get("resilience") == "chain"
    assert asked.get("x-correlation-id") == "order-17"


def test_nothing_goes_out_to_a_host_outside(
    server: RpcServer, settings: Settings, instrumented: None
) -> None:
    settings(internal_hosts="none,")
    with Client(server.target) as client:
        client.get(b"x")
    assert server.asked[0].get("resilience") is None


@pytest.mark.parametrize(("chain", "attempts"), [(CHAIN, 3), (FINAL_CHAIN, 1)])
def test_the_root_of_the_peers_chain_decides_on_another_try(
    server: RpcServer, client: Client, settings: Settings, chain: str, attempts: int
) -> None:
    settings(THREE_ATTEMPTS)
    server.handler = aborting(grpc.StatusCode.UNAVAILABLE, error_chain=chain)
    with pytest.raises(grpc.RpcError) as caught:
        client.get(b"x")
    assert len(server.asked) == attempts
    found = error_chain(caught.value)
    assert found is not None
    assert (found.root.service, found.root_cause_code) == ("ledger", "DB_UNAVAILABLE")


def test_a_failed_call_is_remembered_by_the_request_in_hand(server: RpcServer, client: Client) -> None:
    server.handler = aborting(grpc.StatusCode.UNAVAILABLE, error_chain=CHAIN)
    with request_in_hand() as current, pytest.raises(grpc.RpcError):
        client.get(b"x")
    assert current.failures[-1].received is not None
    assert current.failures[-1].code == "UNAVAILABLE"


@pytest.mark.parametrize("chain", ["not a list (", '"a";c=lower', '"a";c=X' + ";z=1" * 900])
def test_a_chain_that_is_none_is_ignored_and_counted(server: RpcServer, client: Client, chain: str) -> None:
    server.handler = aborting(grpc.StatusCode.INTERNAL, error_chain=chain)
    with Recorder() as recorder, pytest.raises(grpc.RpcError) as caught:
        client.get(b"x")
    assert error_chain(caught.value) is None
    assert len(recorder.of(FieldDiscarded)) == 1


@pytest.mark.parametrize(
    ("lines", "reasons"),
    [
        (['"a";c=A, "b";c=B', '"c";c=C'], []),
        (['"a";c=A'] * 9, ["malformed"]),
        (['"a";c=A;o="' + "x" * 1000 + '"'] * 3, ["oversized"]),
    ],
)
def test_a_repeated_key_is_one_chain_or_none(
    server: RpcServer, client: Client, lines: list[str], reasons: list[str]
) -> None:
    def handler(message: Any, context: grpc.ServicerContext) -> Any:
        context.set_trailing_metadata([("error-chain", line) for line in lines])
        context.abort(grpc.StatusCode.UNAVAILABLE, "down")

    server.handler = handler
    with Recorder() as recorder, pytest.raises(grpc.RpcError) as caught:
        client.get(b"x")
    chain = error_chain(caught.value)
    assert [event.reason for event in recorder.of(FieldDiscarded)] == reasons
    assert (None if chain is None else chain.services_involved) == (None if reasons else ("a", "b", "c"))


def test_a_chain_from_outside_is_not_believed(
    server: RpcServer, settings: Settings, instrumented: None
) -> None:
    settings(internal_hosts="none,")
    server.handler = aborting(grpc.StatusCode.UNAVAILABLE, error_chain=CHAIN)
    with Client(server.target) as client, Recorder() as recorder, pytest.raises(grpc.RpcError) as caught:
        client.get(b"x")
    assert error_chain(caught.value) is None
    assert [event.reason for event in recorder.of(FieldDiscarded)] == ["untrusted"]


def test_the_users_metadata_is_kept_repeated_keys_too(server: RpcServer, client: Client) -> None:
    client.get(b"x", metadata=(("tag", "a"), ("tag", "b"), ("x-correlation-id", "mine"), ("k-bin", b"\x00")))
    (asked,) = server.asked
    assert asked.all("tag") == ["a", "b"]
    assert asked.all("x-correlation-id") == ["mine"]
    assert asked.all("k-bin") == [b"\x00"]


def test_a_peer_without_us_that_says_what_went_wrong_is_a_root(
    server: RpcServer, client: Client, settings: Settings
) -> None:
    settings(THREE_ATTEMPTS)
    server.handler = aborting_out_of_stock(grpc.StatusCode.UNAVAILABLE)
    with pytest.raises(grpc.RpcError) as caught:
        client.get(b"x")
    chain = error_chain(caught.value)
    assert chain is not None
    assert (chain.root.service, chain.root_cause_code) == ("shop.com", "OUT_OF_STOCK")
    assert len(server.asked) == 3  # it sent no chain: its status decides


@pytest.mark.parametrize(
    ("written", "attempts"),
    [("", 3), ("on: [UNAVAILABLE], ", 3), ("on: [OUT_OF_STOCK], ", 3), ("on: [ABORTED], ", 1)],
)
@pytest.mark.parametrize("hosts", ["", "none,"])
def test_a_reason_takes_nothing_from_the_status_it_came_with(
    server: RpcServer, instrumented: None, settings: Settings, hosts: str, written: str, attempts: int
) -> None:
    settings(THREE_ATTEMPTS.replace("retry: {", "retry: {" + written), internal_hosts=hosts)
    server.handler = aborting_out_of_stock(grpc.StatusCode.UNAVAILABLE)
    with (
        Client(server.target) as client,
        Recorder() as recorder,
        pytest.raises(grpc.RpcError) as caught,
    ):
        client.get(b"x")
    assert (error_chain(caught.value) is None) == bool(hosts)
    assert len(server.asked) == attempts
    assert code_of(caught.value) == "OUT_OF_STOCK"
    assert [each.error_type for each in recorder.of(ExecutionFinished)] == ["UNAVAILABLE"]


def test_a_deadline_that_has_a_reason_is_a_timeout(server: RpcServer, client: Client) -> None:
    server.handler = aborting_out_of_stock(grpc.StatusCode.DEADLINE_EXCEEDED)
    with request_in_hand() as current, pytest.raises(grpc.RpcError):
        client.get(b"x")
    assert (current.failures[-1].code, current.failures[-1].kind) == ("OUT_OF_STOCK", HopKind.TIMEOUT)


def aborting_out_of_stock(
    code: grpc.StatusCode, domain: str = "shop.com"
) -> Callable[[Any, grpc.ServicerContext], Any]:
    detail = AnyMessage()
    detail.Pack(ErrorInfo(reason="OUT_OF_STOCK", domain=domain))
    status = Status(code=code.value[0], details=[detail]).SerializeToString()

    def handler(message: Any, context: grpc.ServicerContext) -> Any:
        context.set_trailing_metadata((("grpc-status-details-bin", status),))
        context.abort(code, "sold out")

    return handler


def test_the_name_that_such_a_peer_gives_itself_is_cut_as_every_name_from_a_wire(
    server: RpcServer, client: Client
) -> None:
    server.handler = aborting_out_of_stock(grpc.StatusCode.UNAVAILABLE, domain="a\nb" + "ü" * 4000)
    with pytest.raises(grpc.RpcError) as caught:
        client.get(b"x")
    chain = error_chain(caught.value)
    assert chain is not None
    assert chain.root.service == "a\ufffdb" + "ü" * 29
