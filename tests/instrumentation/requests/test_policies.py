"""``requests`` under policies: what is sent again, what counts as a failure, what the user gets."""

from __future__ import annotations

import io
from typing import Any

import pytest
import requests
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from otel_resilience import CircuitOpenError, error_chain
from otel_resilience.context.request import Request
from otel_resilience.events import ExecutionFinished, RetrySuppressed
from otel_resilience.outcome import Outcome
from otel_resilience.testing import Recorder
from tests.instrumentation.http_server import Reply, ScriptedServer
from tests.instrumentation.requests.exchange import CHAIN, RETRY, Settings

pytestmark = pytest.mark.usefixtures("instrumented")


class TestGuarded:
    def test_a_get_is_sent_again_with_its_number(self, policies: Any, server: ScriptedServer) -> None:
        policies(RETRY)
        server.answers(Reply(503), Reply(503), Reply())
        assert requests.get(server.url).status_code == 200
        assert [asked.headers["resilience"] for asked in server.asked] == [
            "attempt=1, chain",
            "attempt=2, chain",
            "attempt=3, chain",
        ]

    def test_the_last_response_itself_is_returned(
        self, policies: Any, server: ScriptedServer, in_hand: Request
    ) -> None:
        policies(RETRY)
        server.answers(Reply(503, {"error-chain": CHAIN}, b"last"))
        response = requests.get(server.url)
        assert response.content == b"last"
        assert len(server.asked) == 3
        assert in_hand.failures
        assert in_hand.failures[-1].exhausted

    def test_a_post_is_sent_once(self, policies: Any, server: ScriptedServer) -> None:
        policies(RETRY)
        server.answers(Reply(503))
        with Recorder() as recorder:
            requests.post(server.url, data=b"charge")
        assert len(server.asked) == 1
        assert [event.reason for event in recorder.of(RetrySuppressed)] == ["not_idempotent"]

    def test_a_post_with_a_key_is_sent_again_with_its_body(
        self, policies: Any, server: ScriptedServer
    ) -> None:
        policies(RETRY)
        server.answers(Reply(503), Reply())
        requests.post(server.url, data=b"charge", headers={"Idempotency-Key": "1"})
        assert [asked.body for asked in server.asked] == [b"charge", b"charge"]

    def test_a_file_is_sent_again_from_where_it_began(self, policies: Any, server: ScriptedServer) -> None:
        policies(RETRY)
        server.answers(Reply(503), Reply())
        file = io.BytesIO(b"skipped, sent")
        file.seek(9)
        requests.put(server.url, data=file)
        assert [asked.body for asked in server.asked] == [b"sent", b"sent"]

    def test_a_chain_that_says_no_ends_the_retrying(self, policies: Any, server: ScriptedServer) -> None:
        policies(RETRY)
        server.answers(Reply(503, {"error-chain": CHAIN.removesuffix(";r")}))
        requests.get(server.url)
        assert len(server.asked) == 1

    def test_an_open_circuit_is_the_librarys_connection_error_too(
        self, policies: Any, server: ScriptedServer
    ) -> None:
        policies("circuit_breaker: {failure_threshold: 2}")
        server.answers(Reply(503, {"error-chain": CHAIN}))
        for _ in range(2):
            assert requests.get(server.url).status_code == 503
        with pytest.raises(requests.ConnectionError) as raised:
            requests.get(server.url + "/refused")
        assert isinstance(raised.value, CircuitOpenError)
        assert raised.value.error_code == "CIRCUIT_OPEN"
        assert raised.value.request is not None
        assert raised.value.request.url == server.url + "/refused"
        assert raised.value.cause is not None
        assert raised.value.cause.service == "ledger"
        assert len(server.asked) == 2

    def test_a_404_is_a_success_of_the_dependency(self, policies: Any, server: ScriptedServer) -> None:
        policies("circuit_breaker: {failure_threshold: 1}")
        server.answers(Reply(404))
        with Recorder() as recorder:
            assert [requests.get(server.url).status_code for _ in range(3)] == [404] * 3
        assert {(e.outcome, e.error_type) for e in recorder.of(ExecutionFinished)} == {
            (Outcome.SUCCESS, "404")
        }

    def test_the_callers_own_mistake_opens_no_circuit(self, policies: Any, server: ScriptedServer) -> None:
        policies("circuit_breaker: {failure_threshold: 1}")
        with pytest.raises(requests.exceptions.InvalidHeader):
            requests.get(server.url, headers={"bad": "\n"})

        def hook(response: requests.Response, **kwargs: Any) -> None:
            response.close()
            raise LookupError("the hook's own")

        for _ in range(2):
            with pytest.raises(LookupError):
                requests.get(server.url, hooks={"response": hook})
        assert requests.get(server.url).status_code == 200

    def test_a_hook_that_raises_for_status_is_judged_by_the_status(
        self, policies: Any, server: ScriptedServer
    ) -> None:
        policies("circuit_breaker: {failure_threshold: 1}")
        server.answers(Reply(404), Reply(503), Reply())

        def check(response: requests.Response, **kwargs: Any) -> None:
            response.close()
            response.raise_for_status()

        with pytest.raises(requests.HTTPError):
            requests.get(server.url, hooks={"response": check})
        with pytest.raises(requests.HTTPError):
            requests.get(server.url, hooks={"response": check})
        with pytest.raises(CircuitOpenError):
            requests.get(server.url)

    def test_a_redirect_is_part_of_its_attempt(self, policies: Any, server: ScriptedServer) -> None:
        policies(RETRY)
        server.answers(
            Reply(302, {"Location": "/next"}), Reply(503), Reply(302, {"Location": "/next"}), Reply()
        )
        assert requests.get(server.url).status_code == 200
        assert [asked.path for asked in server.asked] == ["/", "/next", "/", "/next"]
        numbers = [asked.headers["resilience"] for asked in server.asked]
        assert numbers == ["attempt=1, chain"] * 2 + ["attempt=2, chain"] * 2

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            (b'{"title": "closed", "code": "LEDGER_CLOSED"}', "LEDGER_CLOSED"),
            (b'{"code": "not a code"}', "HTTP_503"),
            (b'["code"]', "HTTP_503"),
            (b"{", "HTTP_503"),
            (b"[" * 60_000, "HTTP_503"),
            (b'{"code": "LEDGER_CLOSED", "x": "' + b"x" * 65_536 + b'"}', "HTTP_503"),
        ],
    )
    def test_a_peer_that_tells_its_problem_is_a_root(
        self, policies: Any, server: ScriptedServer, body: bytes, code: str
    ) -> None:
        policies("timeout: 5s")
        server.answers(Reply(503, {"Content-Type": "application/problem+json; charset=utf-8"}, body))
        chain = error_chain(requests.get(server.url))
        assert chain is not None
        assert [(hop.service, hop.code) for hop in chain.hops] == [("ledger", code)]
        assert chain.retryable
        with requests.get(server.url, stream=True) as response:
            assert error_chain(response) is None

    def test_the_exporters_own_calls_are_never_guarded(
        self, settings: Settings, server: ScriptedServer
    ) -> None:
        settings('services: {"*": {circuit_breaker: {failure_threshold: 1}}}')
        server.answers(Reply(400))
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(endpoint=server.url)))
        with Recorder() as recorder:
            for _ in range(3):
                provider.get_tracer("test").start_span("exported at once").end()
        provider.shutdown()
        assert recorder.events == []
        assert len(server.asked) == 3
        assert all("resilience" not in asked.headers for asked in server.asked)
