"""What goes out with a ``grpc.aio`` call, and what is read from one that failed."""

from __future__ import annotations

from typing import Any

import grpc
import grpc.aio
import pytest

from otel_resilience.context import correlation
from otel_resilience.errors.adopt import error_chain
from otel_resilience.events import FieldDiscarded
from otel_resilience.testing import Recorder
from tests.instrumentation.grpc.policies import CHAIN, FINAL_CHAIN, THREE_ATTEMPTS
from tests.instrumentation.grpc.rpc_server import RpcServer, aborting
from tests.instrumentation.grpc_aio.client.calling import AioClient, Remembered
from tests.instrumentation.grpc_aio.client.conftest import Settings


async def test_an_unguarded_call_goes_out_with_its_fields(server: RpcServer, client: AioClient) -> None:
    token = correlation.enter("order-17")
    try:
        assert await client.get(b"x") == b"ok"
    finally:
        correlation.leave(token)
    (asked,) = server.asked
    assert asked.get("resilience") == "chain"
    assert asked.get("x-correlation-id") == "order-17"


async def test_nothing_goes_out_to_a_host_outside_and_nothing_from_it_is_believed(
    server: RpcServer, client: AioClient, settings: Settings
) -> None:
    settings(internal_hosts="none,")
    server.handler = aborting(grpc.StatusCode.UNAVAILABLE, error_chain=CHAIN)
    with Recorder() as recorder, pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.get(b"x")
    assert server.asked[0].get("resilience") is None
    assert error_chain(caught.value) is None
    assert [event.reason for event in recorder.of(FieldDiscarded)] == ["untrusted"]


@pytest.mark.parametrize(("chain", "attempts"), [(CHAIN, 3), (FINAL_CHAIN, 1)])
async def test_the_root_of_the_peers_chain_decides_on_another_try(
    server: RpcServer, client: AioClient, settings: Settings, chain: str, attempts: int
) -> None:
    settings(THREE_ATTEMPTS)
    server.handler = aborting(grpc.StatusCode.UNAVAILABLE, error_chain=chain)
    with Remembered() as remembered, pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.get(b"x")
    assert len(server.asked) == attempts
    found = error_chain(caught.value)
    assert found is not None
    assert (found.root.service, found.root_cause_code) == ("ledger", "DB_UNAVAILABLE")
    assert remembered.failure is not None
    assert (remembered.failure.code, remembered.failure.received) == ("UNAVAILABLE", found)


@pytest.mark.parametrize("guarded", [False, True])
@pytest.mark.parametrize("chain", ["not a list (", '"a";c=lower', '"a";c=X' + ";z=1" * 900])
async def test_a_chain_that_is_none_is_ignored_and_counted_once(
    server: RpcServer, client: AioClient, settings: Settings, chain: str, guarded: bool
) -> None:
    settings(f'services: {{ledger: {{match: ["{server.target}"], timeout: 10s}}}}' if guarded else None)
    server.handler = aborting(grpc.StatusCode.INTERNAL, error_chain=chain)
    with Recorder() as recorder, pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.get(b"x")
    assert error_chain(caught.value) is None
    assert len(recorder.of(FieldDiscarded)) == 1


@pytest.mark.parametrize("form", [tuple, list, lambda pairs: grpc.aio.Metadata(*pairs)])
async def test_the_users_metadata_is_kept_repeated_keys_too(
    server: RpcServer, client: AioClient, form: Any
) -> None:
    await client.get(
        b"x", metadata=form((("tag", "a"), ("tag", "b"), ("x-correlation-id", "mine"), ("k-bin", b"\x00")))
    )
    (asked,) = server.asked
    assert asked.all("tag") == ["a", "b"]
    assert asked.all("x-correlation-id") == ["mine"]
    assert asked.all("k-bin") == [b"\x00"]


async def test_a_peer_without_us_that_says_what_went_wrong_is_a_root(
    server: RpcServer, client: AioClient, settings: Settings
) -> None:
    info = b"\x0a\x0cOUT_OF_STOCK\x12\x08shop.com"
    kind = b"type.googleapis.com/google.rpc.ErrorInfo"
    detail = b"\x0a" + bytes([len(kind)]) + kind + b"\x12" + bytes([len(info)]) + info
    status = b"\x1a" + bytes([len(detail)]) + detail
    settings(THREE_ATTEMPTS)

    def handler(message: Any, context: grpc.ServicerContext) -> Any:
        context.set_trailing_metadata((("grpc-status-details-bin", status),))
        context.abort(grpc.StatusCode.UNAVAILABLE, "sold out")

    server.handler = handler
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.get(b"x")
    chain = error_chain(caught.value)
    assert chain is not None
    assert (chain.root.service, chain.root_cause_code) == ("shop.com", "OUT_OF_STOCK")
    assert len(server.asked) == 3  # it sent no chain: its status decides


async def test_a_call_says_of_itself_what_the_librarys_own_says(
    server: RpcServer, client: AioClient, settings: Settings
) -> None:
    def handler(message: Any, context: grpc.ServicerContext) -> bytes:
        context.send_initial_metadata((("early", "yes"),))
        context.set_trailing_metadata((("late", "yes"),))
        return b"ok"

    server.handler = handler
    for text in (None, THREE_ATTEMPTS):
        settings(text)
        call = client.get(b"x")
        assert isinstance(call, grpc.aio.UnaryUnaryCall)
        assert not call.done()
        assert not call.cancelled()
        assert ("early", "yes") in list(await call.initial_metadata())
        assert ("late", "yes") in list(await call.trailing_metadata())
        assert await call.code() is grpc.StatusCode.OK
        assert await call.details() == ""
        await call.wait_for_connection()
        assert await call == b"ok"
        assert call.done()
        assert not call.cancel()
