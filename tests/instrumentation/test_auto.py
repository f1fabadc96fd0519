"""Whole processes under ``opentelemetry-instrument``: what is loaded, what is patched, what is said at start."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

#: The command ``opentelemetry-instrument``, by this interpreter.
AGENT = [sys.executable, "-c", "from opentelemetry.instrumentation.auto_instrumentation import run; run()"]


def run(
    script: str, *, agent: bool = True, directory: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run ``script`` in a process of its own, which exports nothing."""
    file = directory / "service.py"
    file.write_text(textwrap.dedent(script))
    known = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    nothing = {f"OTEL_{signal}_EXPORTER": "none" for signal in ("TRACES", "METRICS", "LOGS")}
    return subprocess.run(
        [*(AGENT if agent else []), sys.executable, str(file)],
        env={**known, **nothing, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def said_by(script: str, directory: Path, **environment: str) -> str:
    done = run(script, directory=directory, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


OFFICIAL_GRPC = "grpc_client,grpc_server,grpc_aio_client,grpc_aio_server"


def test_a_process_that_uses_only_requests_imports_nothing_else_for_us(tmp_path: Path) -> None:
    said = said_by(
        """
        import sys
        import requests
        from otel_resilience_instrumentation import _instrumentor
        print(sorted({"grpc", "flask", "httpx", "yaml"} & set(sys.modules)), len(_instrumentor.active()) > 1)
        """,
        tmp_path,
        # The official ones import what they patch; without them what is there is there because of us.
        OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=f"{OFFICIAL_GRPC},httpx,httpx2,flask,logging,urllib3,requests,wsgi",
    )
    assert said == "[] True"


def test_a_process_without_a_policy_file_loads_no_policies_and_no_mesh(tmp_path: Path) -> None:
    said = said_by(
        """
        import sys
        import requests
        requests.Session()
        rooms = ("pipeline", "config.load", "discovery.registry", "mesh.line", "mesh.mesh", "policies.retry", "flow.guard")
        print([room for room in rooms if f"otel_resilience.{room}" in sys.modules])
        """,
        tmp_path,
    )
    assert said == "[]"


def test_a_process_of_threads_alone_loads_nothing_of_ours_for_asyncio(tmp_path: Path) -> None:
    said = said_by(
        """
        import sys
        import grpc
        from otel_resilience_instrumentation import _instrumentor, _layer

        def loaded():
            return [name for name in sys.modules if name.startswith("otel_resilience_instrumentation._grpc_aio")]

        grpc.insecure_channel("127.0.0.1:1").close()
        print(loaded(), all(layer.is_outermost for layer in _layer._active))
        grpc.aio.server()
        print(loaded() != [])
        """,
        tmp_path,
    )
    assert said.splitlines() == ["[] True", "True"]


PATCHED = """
    import requests
    from otel_resilience_instrumentation import _layer
    print([layer.is_outermost for layer in _layer._active if layer.owner is requests.Session])
"""


def test_ours_is_outermost_in_the_end(tmp_path: Path) -> None:
    assert said_by(PATCHED, tmp_path) == "[True]"


@pytest.mark.parametrize(
    "environment",
    [
        {"OTEL_RESILIENCE_ENABLED": "false"},
        {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "resilience_requests"},
        {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "*"},
    ],
)
def test_what_is_switched_off_is_not_patched(environment: dict[str, str], tmp_path: Path) -> None:
    assert said_by(PATCHED, tmp_path, **environment) == "[]"


def test_the_official_client_span_is_inside_ours(tmp_path: Path) -> None:
    said = said_by(
        """
        import socket
        import requests
        from opentelemetry import trace
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

        exporter = InMemorySpanExporter()
        trace.get_tracer_provider().add_span_processor(SimpleSpanProcessor(exporter))
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            port = listener.getsockname()[1]
        try:
            requests.get(f"http://127.0.0.1:{port}/")
        except requests.ConnectionError:
            pass
        for span in exporter.get_finished_spans():
            attributes = span.attributes
            print(span.kind.name, span.name, attributes.get("resilience.attempt.number"), attributes.get("http.request.resend_count"))
        """,
        tmp_path,
        OTEL_RESILIENCE_CONFIG=str(_policies(tmp_path)),
    )
    assert said.splitlines() == ["CLIENT GET 1 None", "CLIENT GET 2 1", "INTERNAL execute local None None"]


AIO = """
    import asyncio
    import grpc.aio
    from opentelemetry import trace
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    trace.get_tracer_provider().add_span_processor(SimpleSpanProcessor(exporter))

    async def answer(request, context):
        await context.abort(grpc.StatusCode.UNAVAILABLE, "as told")

    async def main():
        server = grpc.aio.server()
        methods = {"Get": grpc.unary_unary_rpc_method_handler(answer)}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("shop.v1.Ledger", methods),))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            try:
                await channel.unary_unary("/shop.v1.Ledger/Get")(b"")
            except grpc.aio.AioRpcError as error:
                print("chain" if "error-chain" in dict(error.trailing_metadata()) else "no chain")
        await server.stop(grace=5)

    asyncio.run(main())
    for span in sorted(exporter.get_finished_spans(), key=lambda span: span.start_time):
        print(span.kind.name, span.attributes.get("resilience.attempt.number"), span.attributes.get("resilience.error.code"))
"""


def test_both_sides_of_grpc_aio_under_the_agent(tmp_path: Path) -> None:
    said = said_by(AIO, tmp_path, OTEL_RESILIENCE_CONFIG=str(_policies(tmp_path)))
    assert said.splitlines() == [
        "chain",
        "INTERNAL None UNAVAILABLE",
        "CLIENT 1 None",
        "SERVER None UNAVAILABLE",
    ]


def test_grpc_aio_is_switched_off_alone(tmp_path: Path) -> None:
    said = said_by(
        AIO,
        tmp_path,
        OTEL_RESILIENCE_CONFIG=str(_policies(tmp_path)),
        OTEL_PYTHON_DISABLED_INSTRUMENTATIONS="resilience_grpc_aio",
    )
    assert said.splitlines() == ["no chain", "CLIENT None None", "SERVER None None"]


def _policies(directory: Path) -> Path:
    file = directory / "resilience.yaml"
    file.write_text(
        "services: {local: {match: ['127.0.0.1'], retry: {max_attempts: 2, backoff: {initial: 1ms}}}}"
    )
    return file


def test_a_broken_file_is_one_line_on_stderr_and_the_service_starts(tmp_path: Path) -> None:
    file = tmp_path / "resilience.yaml"
    file.write_text("services:\n  ledger:\n    retry: {max_attempts: none}\n")
    done = run("print('served')", directory=tmp_path, OTEL_RESILIENCE_CONFIG=str(file))
    assert done.stdout == "served\n"
    lines = [line for line in done.stderr.splitlines() if "resilience.yaml" in line]
    assert len(lines) == 1
    assert "line 3: services.ledger.retry.max_attempts" in lines[0]


def test_one_line_at_start(tmp_path: Path) -> None:
    # An application's logging is set up after our start, so the hook is called once more for the line to be seen.
    done = run(
        """
        import logging, sys
        logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(levelname)s %(name)s %(message)s")
        from otel_resilience_instrumentation.post_instrument import post_instrument
        post_instrument()
        """,
        directory=tmp_path,
        OTEL_RESILIENCE_CONFIG=str(_policies(tmp_path)),
        OTEL_PYTHON_DISABLED_INSTRUMENTATIONS="resilience_grpc,resilience_flask",
    )
    (line,) = [line for line in done.stdout.splitlines() if "otel-resilience" in line]
    assert line.startswith("INFO otel_resilience otel-resilience 0.")
    active = line.partition("instrumentors ")[2].partition(";")[0].split(", ")
    assert {"resilience_requests", "resilience_grpc_aio"} <= set(active)
    assert not {"resilience_grpc", "resilience_flask"} & set(active)
    assert line.endswith("resilience.yaml; services guarded: local; mode enforce")


def test_an_application_may_log_a_correlation_id_of_its_own(tmp_path: Path) -> None:
    # A log record factory of ours that set the attribute would make this line raise, in the application (decision 0008).
    said = said_by(
        """
        import logging, sys
        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(logging.Formatter("%(correlation_id)s %(message)s"))
        logger = logging.getLogger("shop")
        logger.addHandler(handler)
        logger.warning("paid", extra={"correlation_id": "mine"})
        """,
        tmp_path,
    )
    assert said == "mine paid"
