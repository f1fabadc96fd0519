"""The exporters' own calls are never guarded, whatever the policy file says of everybody."""

from __future__ import annotations

import textwrap
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest

from tests.instrumentation.http_server import Reply, ScriptedServer
from tests.instrumentation.test_auto import run

_EVERYBODY = '"*": {circuit_breaker: {failure_threshold: 1, recovery_timeout: 60m}, retry: {max_attempts: 2}}'
_ROUNDS = 3

#: Sends each signal a few times, through the circuit that the application's own calls to the same address have opened.
_SCRIPT = f"""
    from opentelemetry import metrics, trace
    from opentelemetry._logs import get_logger, get_logger_provider

    counter = metrics.get_meter("test").create_counter("test.rounds")
    for number in range({_ROUNDS}):
        with trace.get_tracer("test").start_as_current_span("round"):
            counter.add(1)
            get_logger("test").emit(event_name="round")
        for provider in (trace.get_tracer_provider(), metrics.get_meter_provider(), get_logger_provider()):
            provider.force_flush(5000)
"""
_BY_HTTP = """
    import os
    import requests
    for _ in range(2):
        try:
            print(requests.post(os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] + "/app", data=b"x").status_code)
        except requests.ConnectionError as error:
            print(error.error_code)
"""
_BY_GRPC = """
    import os
    import grpc
    channel = grpc.insecure_channel(os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"].removeprefix("http://"))
    for _ in range(2):
        try:
            channel.unary_unary("/app.v1.App/Call")(b"")
        except grpc.RpcError as error:
            print(getattr(error, "error_code", error.code().name))
"""

#: What a collector was asked: the path or method, and the names of the fields that came along.
Asked = list[tuple[str, set[str]]]


def send_all(script: str, directory: Path, endpoint: str, protocol: str) -> list[str]:
    """Run the script in a process of its own; what its own two calls came to."""
    file = directory / "resilience.yaml"
    file.write_text(f"services: {{{_EVERYBODY}}}")
    done = run(
        textwrap.dedent(script) + textwrap.dedent(_SCRIPT),
        directory=directory,
        OTEL_RESILIENCE_CONFIG=str(file),
        OTEL_EXPORTER_OTLP_ENDPOINT=endpoint,
        OTEL_EXPORTER_OTLP_PROTOCOL=protocol,
        OTEL_EXPORTER_OTLP_TIMEOUT="3",
        # Only what is flushed is sent, so that it can be counted.
        OTEL_BSP_SCHEDULE_DELAY="3600000",
        OTEL_BLRP_SCHEDULE_DELAY="3600000",
        OTEL_METRIC_EXPORT_INTERVAL="3600000",
        **{f"OTEL_{signal}_EXPORTER": "otlp" for signal in ("TRACES", "METRICS", "LOGS")},
    )
    assert done.returncode == 0 and "policy file" not in done.stderr, done.stderr
    return done.stdout.split()


def assert_the_exporters_are_let_be(asked: Asked, signals: Iterable[str], own: str) -> None:
    """One request a flush, none of them with a field of ours; of the application's calls one, which had it."""
    for signal in signals:
        fields = [names for path, names in asked if path == signal]
        # One more is for what was left when the process ended.
        assert len(fields) in (_ROUNDS, _ROUNDS + 1), asked
        assert all("resilience" not in names for names in fields)
    assert ["resilience" in names for path, names in asked if path == own] == [True]


def test_over_http(tmp_path: Path) -> None:
    with ScriptedServer() as collector:
        collector.answers(Reply(500), Reply(200))
        said = send_all(_BY_HTTP, tmp_path, collector.url, "http/protobuf")
        asked = [(each.path, {name.lower() for name in each.headers}) for each in collector.asked]

    assert said == ["500", "CIRCUIT_OPEN"]
    assert_the_exporters_are_let_be(asked, ("/v1/traces", "/v1/metrics", "/v1/logs"), "/app")


@pytest.fixture
def grpc_collector() -> Iterator[tuple[str, Asked]]:
    """A server that takes all that exporters send, and fails every call of the application."""
    asked: Asked = []
    writing = threading.Lock()

    def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
        if not asked[-1][0].endswith("/Export"):
            context.abort(grpc.StatusCode.INTERNAL, "no")
        return b""

    class Collector(grpc.GenericRpcHandler):
        def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes]:
            with writing:
                asked.append((details.method, {key for key, _ in details.invocation_metadata}))
            return grpc.unary_unary_rpc_method_handler(answer)

    server = grpc.server(ThreadPoolExecutor(2), handlers=[Collector()])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"http://127.0.0.1:{port}", asked
    server.stop(0).wait()


def test_over_grpc(grpc_collector: tuple[str, Asked], tmp_path: Path) -> None:
    endpoint, asked = grpc_collector

    said = send_all(_BY_GRPC, tmp_path, endpoint, "grpc")

    assert said == ["INTERNAL", "CIRCUIT_OPEN"]
    export = "/opentelemetry.proto.collector.{0}.v1.{1}Service/Export"
    signals = [export.format(name, name.capitalize()) for name in ("trace", "metrics", "logs")]
    assert_the_exporters_are_let_be(asked, signals, "/app.v1.App/Call")
