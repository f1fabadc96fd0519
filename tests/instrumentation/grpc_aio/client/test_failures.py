"""``grpc.aio`` clients where nobody scripted the failure: ports, names, processes, callers, ourselves."""

from __future__ import annotations

import asyncio
import socket
import sys
from typing import Any

import grpc
import grpc.aio
import pytest

from otel_resilience.events import ExecutionFinished
from otel_resilience.outcome import Outcome
from otel_resilience.testing import Recorder
from otel_resilience_instrumentation import _grpc_aio_parked, _grpc_outgoing, grpc_aio
from tests.instrumentation.grpc.policies import BREAKER
from tests.instrumentation.grpc.rpc_server import RpcServer
from tests.instrumentation.grpc.test_client_failures import DOOMED
from tests.instrumentation.grpc_aio.client.calling import AioClient, Remembered
from tests.instrumentation.grpc_aio.client.conftest import Settings


async def test_what_the_caller_did_wrong_opens_nothing(
    server: RpcServer, lone_client: AioClient, settings: Settings
) -> None:
    settings(BREAKER.format(target=server.target))
    for _ in range(3):
        with pytest.raises(grpc.aio.InternalError):
            await lone_client.get(b"x", metadata=[("No Key", "x")])
    assert await lone_client.get(b"x") == b"ok"


async def test_a_port_that_refuses_is_an_unavailable_root_of_our_own(
    client: AioClient, settings: Settings
) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        target = f"127.0.0.1:{held.getsockname()[1]}"
        settings(f'services: {{ledger: {{match: ["{target}"], timeout: 5s}}}}')
        with Remembered() as remembered:
            async with AioClient(target) as lost:
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await lost.get(b"x")
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert remembered.failure is not None
    assert (remembered.failure.code, remembered.failure.kind) == ("UNAVAILABLE", "remote")
    assert remembered.failure.received is None


async def test_a_server_that_is_not_there_yet_is_waited_for(
    server: RpcServer, client: AioClient, settings: Settings
) -> None:
    settings('services: {"*": {timeout: 20s}}')
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        late = RpcServer()
        late.port = held.getsockname()[1]
    async with AioClient(late.target) as patient:
        call = patient.get(b"x", wait_for_ready=True)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(call.code(), 0.1)
        with late:
            assert await call == b"ok"


async def test_a_process_that_is_killed_in_mid_call_is_an_unavailable_root_of_our_own(
    client: AioClient, settings: Settings
) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", DOOMED, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    target = f"127.0.0.1:{(await process.stdout.readline()).decode().strip()}"
    settings(f'services: {{ledger: {{match: ["{target}"], timeout: 20s}}}}')
    with Remembered() as remembered:
        async with AioClient(target) as doomed:
            call = doomed.get(b"x")
            await process.stdout.readline()
            process.kill()
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call
    await process.wait()
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert remembered.failure is not None
    assert (remembered.failure.code, remembered.failure.kind) == ("UNAVAILABLE", "remote")


async def test_a_channel_that_is_closed_says_so_itself(
    server: RpcServer, client: AioClient, settings: Settings
) -> None:
    settings(BREAKER.format(target=server.target))
    await client.channel.close()
    with Recorder() as recorder:
        for _ in range(3):
            with pytest.raises(grpc.aio.UsageError):
                await client.get(b"x")
    assert {event.outcome for event in recorder.of(ExecutionFinished)} == {Outcome.FAILURE}


async def test_when_our_part_cannot_be_loaded_grpc_runs_as_it_is(
    server: RpcServer, settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*args: Any) -> Any:
        raise ImportError("ours")

    settings()
    monkeypatch.setattr(grpc_aio, "_patch_of_channels", broken)
    grpc_aio.GrpcAioInstrumentor().instrument()
    try:
        async with AioClient(server.target) as client:
            assert await client.get(b"x") == b"ok"
    finally:
        grpc_aio.GrpcAioInstrumentor().uninstrument()
    assert server.asked[0].get("resilience") is None
    said = {record.getMessage() for record in caplog.records if record.name == "otel_resilience"}
    assert said == {"grpc.aio could not be instrumented and runs as it is"}


async def test_when_our_part_fails_the_call_is_still_made(
    server: RpcServer, client: AioClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*args: Any, **kwargs: Any) -> Any:
        raise LookupError("ours")

    monkeypatch.setattr(_grpc_outgoing, "runtime", broken)
    assert await client.get(b"x") == b"ok"
    monkeypatch.undo()
    monkeypatch.setattr(_grpc_outgoing, "request_fields", broken)
    assert await client.get(b"x") == b"ok"
    monkeypatch.undo()
    monkeypatch.setattr(_grpc_aio_parked.Held, "__init__", broken)
    assert await client.get(b"x") == b"ok"
    assert [record.getMessage() for record in caplog.records if record.name == "otel_resilience"] == [
        "an RPC is sent without its policies",
        "an RPC is sent without its fields",
        "the end of an RPC will not be seen",
    ]


def test_a_call_that_is_begun_before_the_loop_runs_belongs_to_the_loop_of_its_channel(
    server: RpcServer, settings: Settings, instrumented: None
) -> None:
    settings(BREAKER.format(target=server.target))
    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        asyncio.set_event_loop(loop)
        client = AioClient(server.target)
        call, summed = client.get(b"x"), client.sum([b"a"])
        assert loop.run_until_complete(call) == b"ok"
        assert loop.run_until_complete(summed) == b"ok"
        loop.run_until_complete(client.channel.close())
        asyncio.set_event_loop(None)
