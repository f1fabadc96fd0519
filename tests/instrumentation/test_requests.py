"""``requests`` under policies: what goes over the wire, what the user gets, failures nobody scripted."""

from __future__ import annotations

import io
import socket
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
import requests
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from requests.adapters import BaseAdapter

from otel_resilience import CircuitOpenError, Deadline, ServiceTimeoutError, Timeout, error_chain
from otel_resilience.context import correlation, request
from otel_resilience.context.request import Request
from otel_resilience.errors.codecs import error_chain as codec
from otel_resilience.events import ExecutionFinished, FieldDiscarded, RetrySuppressed
from otel_resilience.outcome import Outcome
from otel_resilience.testing import Recorder
from otel_resilience_instrumentation._settings import Runtime
from otel_resilience_instrumentation.requests import RequestsInstrumentor
from tests.instrumentation.http_server import Reply, ScriptedServer

CHAIN = '"ledger";c=DB_UNAVAILABLE;t="0af7651916cd43dd8448eb211c80319c";s="b7ad6b7169203331";r'

Settings = Callable[..., Runtime]


@pytest.fixture(autouse=True)
def instrumented(settings: Settings) -> Iterator[None]:
    settings()
    RequestsInstrumentor().instrument()
    yield
    RequestsInstrumentor().uninstrument()


@pytest.fixture
def policies(settings: Settings, server: ScriptedServer) -> Callable[[str], Runtime]:
    """Guard the server, as service ``ledger``, by the policies given as a YAML flow mapping."""
    return lambda text: settings(f'services: {{ledger: {{match: ["{server.address}"], {text}}}}}')


@pytest.fixture
def in_hand() -> Iterator[Request]:
    current = Request()
    token = request.enter(current)
    yield current
    request.leave(token)


class OutsideWorld(BaseAdapter):
    """Stands for hosts that no test may reach."""

    def __init__(self, status: int = 200, **headers: str) -> None:
        super().__init__()
        self.status = status
        self.headers = headers
        self.asked: list[dict[str, str]] = []

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        self.asked.append(dict(request.headers))
        response = requests.Response()
        response.status_code = self.status
        response.url = request.url or ""
        response.headers.update({name.replace("_", "-"): value for name, value in self.headers.items()})
        response.request = request
        response.raw = io.BytesIO(b"")
        return response

    def close(self) -> None:
        pass


RETRY = "retry: {max_attempts: 3, backoff: {initial: 1ms, jitter: none}}"


class TestUnguarded:
    def test_says_that_it_reads_chains_and_under_which_correlation(self, server: ScriptedServer) -> None:
        token = correlation.enter("order-7")
        try:
            requests.get(server.url)
        finally:
            correlation.leave(token)
        assert server.asked[0].headers["resilience"] == "chain"
        assert server.asked[0].headers["x-correlation-id"] == "order-7"

    def test_passes_the_deadline_on(self, server: ScriptedServer) -> None:
        Timeout(5.0).call(requests.get, server.url)
        parts = server.asked[0].headers["resilience"].split(", ")
        assert 0 < int(parts[0].removeprefix("deadline=")) <= 5000

    def test_puts_the_chain_on_the_response(self, server: ScriptedServer, in_hand: Request) -> None:
        server.answers(Reply(503, {"error-chain": CHAIN}))
        response = requests.get(server.url)
        chain = error_chain(response)
        assert chain is not None
        assert chain.root_cause_code == "DB_UNAVAILABLE"
        assert in_hand.last_failure is not None
        assert in_hand.last_failure.received == chain

    def test_finds_the_chain_on_the_error_of_raise_for_status(self, server: ScriptedServer) -> None:
        server.answers(Reply(500, {"error-chain": CHAIN}))
        with pytest.raises(requests.HTTPError) as raised:
            requests.get(server.url).raise_for_status()
        assert error_chain(raised.value) == codec.decode(CHAIN)

    def test_takes_no_chain_from_an_answer_that_is_no_failure(self, server: ScriptedServer) -> None:
        server.answers(Reply(404, {"error-chain": CHAIN}))
        assert error_chain(requests.get(server.url)) is None

    @pytest.mark.parametrize(
        ("field", "reason"),
        [("<script>", "malformed"), ("x" * 4096, "oversized"), ('"a";c=lower', "malformed")],
    )
    def test_ignores_and_counts_a_hostile_chain(
        self, server: ScriptedServer, field: str, reason: str
    ) -> None:
        server.answers(Reply(503, {"error-chain": field}))
        with Recorder() as recorder:
            response = requests.get(server.url)
        assert response.status_code == 503
        assert error_chain(response) is None
        assert [event.reason for event in recorder.of(FieldDiscarded)] == [reason]

    def test_tells_nothing_to_the_world_outside_and_believes_nothing(self) -> None:
        world = OutsideWorld(503, error_chain=CHAIN)
        session = requests.Session()
        session.mount("http://", world)
        with Recorder() as recorder:
            response = session.get("http://shop.example.com/")
        assert not {"resilience", "x-correlation-id"} & {name.lower() for name in world.asked[0]}
        assert error_chain(response) is None
        assert [event.reason for event in recorder.of(FieldDiscarded)] == ["untrusted"]

    def test_judges_each_redirect_anew(self, server: ScriptedServer) -> None:
        world = OutsideWorld()
        server.answers(Reply(302, {"Location": "http://shop.example.com/next"}))
        session = requests.Session()
        session.mount("http://shop.example.com", world)
        session.get(server.url)
        assert "resilience" in server.asked[0].headers
        assert "resilience" not in {name.lower() for name in world.asked[0]}

    def test_a_redirect_inside_carries_the_fields_again(self, server: ScriptedServer) -> None:
        server.answers(Reply(302, {"Location": "/next"}), Reply())
        response = requests.get(server.url)
        assert [asked.path for asked in server.asked] == ["/", "/next"]
        assert server.asked[1].headers["resilience"] == "chain"
        assert "resilience" not in response.request.headers
        assert "resilience" not in response.history[0].request.headers

    def test_a_redirect_that_is_not_followed_keeps_nothing_of_ours(self, server: ScriptedServer) -> None:
        server.answers(Reply(302, {"Location": "http://shop.example.com/next"}))
        response = requests.get(server.url, allow_redirects=False)
        assert response.next is not None
        assert "resilience" not in response.next.headers

    def test_leaves_the_users_request_as_it_was(self, server: ScriptedServer) -> None:
        mine = requests.Request("GET", server.url, headers={"x-correlation-id": "mine"}).prepare()
        headers, hooks = dict(mine.headers), mine.hooks
        with requests.Session() as session:
            session.send(mine)
        assert {k: v for k, v in mine.headers.items() if k != "traceparent"} == headers
        assert mine.hooks is hooks
        assert server.asked[0].headers.get_all("x-correlation-id") == ["mine"]

    def test_nothing_is_added_where_instrumentation_is_suppressed(self, server: ScriptedServer) -> None:
        with suppress_instrumentation():
            requests.get(server.url)
        assert "resilience" not in server.asked[0].headers

    def test_a_url_that_is_none_is_the_librarys_to_refuse(self) -> None:
        with pytest.raises(requests.exceptions.MissingSchema):
            requests.get("nowhere")
        with pytest.raises(requests.exceptions.InvalidURL):
            requests.get("http://host:port/")

    def test_propagation_off_sends_and_reads_nothing(
        self, settings: Settings, server: ScriptedServer
    ) -> None:
        settings(propagation="off")
        server.answers(Reply(503, {"error-chain": CHAIN}))
        assert error_chain(requests.get(server.url)) is None
        assert "resilience" not in server.asked[0].headers


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
        assert in_hand.last_failure is not None
        assert in_hand.last_failure.exhausted

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


class TestInTime:
    """The only real waits: what a socket does when a deadline passes cannot be had from a manual clock."""

    def test_an_answer_that_never_comes(self, policies: Any, server: ScriptedServer) -> None:
        policies("timeout: 200ms")
        server.answers(lambda handler: server.stopping.wait(5) and None)
        began = time.monotonic()
        with pytest.raises(requests.Timeout) as raised:
            requests.get(server.url)
        assert time.monotonic() - began < 1.0
        assert isinstance(raised.value, ServiceTimeoutError)
        assert isinstance(raised.value.__cause__, requests.exceptions.ReadTimeout)

    @pytest.mark.parametrize("chunked", [True, False])
    def test_a_body_that_trickles(self, policies: Any, server: ScriptedServer, chunked: bool) -> None:
        policies("timeout: 300ms")

        def trickle(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(200)
            handler.send_header(
                *(("Transfer-Encoding", "chunked") if chunked else ("Content-Length", "1000"))
            )
            handler.end_headers()
            try:
                while not server.stopping.wait(0.02):
                    handler.wfile.write(b"1\r\nx\r\n" if chunked else b"x")
            except OSError:
                return

        server.answers(trickle)
        began = time.monotonic()
        with pytest.raises(ServiceTimeoutError) as raised:
            requests.get(server.url)
        assert time.monotonic() - began < 1.0
        assert isinstance(raised.value, requests.Timeout)
        assert raised.value.error_code == "SERVICE_TIMEOUT"

    def test_a_body_that_stops_in_the_middle(self, policies: Any, server: ScriptedServer) -> None:
        policies("timeout: 200ms")

        def stop(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(200)
            handler.send_header("Content-Length", "1000")
            handler.end_headers()
            handler.wfile.write(b"half")
            server.stopping.wait(5)

        server.answers(stop)
        began = time.monotonic()
        with pytest.raises(ServiceTimeoutError):
            requests.get(server.url)
        assert time.monotonic() - began < 1.0

    def test_a_stream_is_judged_by_its_head_and_read_as_the_user_likes(
        self, policies: Any, server: ScriptedServer
    ) -> None:
        policies("timeout: 300ms")

        def slow(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(200)
            handler.send_header("Content-Length", "4")
            handler.end_headers()
            for byte in b"late":
                server.stopping.wait(0.1)
                handler.wfile.write(bytes([byte]))

        server.answers(slow)
        with requests.get(server.url, stream=True) as response:
            assert response.content == b"late"

    def test_a_connection_lives_on_with_its_own_timeouts(self, policies: Any, server: ScriptedServer) -> None:
        policies('timeout: 400ms, operations: {"GET /free": {timeout: null}}')
        with requests.Session() as session:
            session.get(server.url)
            server.answers(_after(0.6))
            assert session.get(server.url + "/free").text == "ok"

    def test_a_keyed_operation_within_a_deadline_of_its_own(
        self, policies: Any, server: ScriptedServer
    ) -> None:
        policies("timeout: 5s")
        seen: list[float] = []

        def hook(response: requests.Response, **kwargs: Any) -> None:
            current = Deadline.current()
            assert current is not None
            seen.append(current.remaining())

        requests.get(server.url, timeout=(1, 2), hooks={"response": hook})
        assert 0 < seen[0] <= 5


def _after(seconds: float) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        time.sleep(
            seconds
        )  # a server that is slow for real: the client's socket must not know the old deadline
        handler.send_response(200)
        handler.send_header("Content-Length", "2")
        handler.end_headers()
        handler.wfile.write(b"ok")

    return answer


class TestNobodyScripted:
    def test_a_port_that_refuses(self, settings: Settings, in_hand: Request) -> None:
        port = _closed_port()
        settings(
            f'services: {{ledger: {{match: ["127.0.0.1:{port}"], circuit_breaker: {{failure_threshold: 2}}}}}}'
        )
        for _ in range(2):
            with pytest.raises(requests.ConnectionError) as raised:
                requests.get(f"http://127.0.0.1:{port}/")
            assert not isinstance(raised.value, CircuitOpenError)
        assert in_hand.last_failure is not None
        assert (in_hand.last_failure.code, in_hand.last_failure.kind) == ("CONNECT_FAILED", "remote")
        with pytest.raises(CircuitOpenError):
            requests.get(f"http://127.0.0.1:{port}/")

    def test_a_name_that_does_not_resolve(self, in_hand: Request) -> None:
        with pytest.raises(requests.ConnectionError):
            requests.get("http://ledger.invalid/")
        assert in_hand.last_failure is not None
        assert (in_hand.last_failure.code, in_hand.last_failure.kind) == ("DNS_FAILED", "remote")

    def test_a_server_that_dies_in_the_middle(self, server: ScriptedServer, in_hand: Request) -> None:
        def die(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(200)
            handler.send_header("Content-Length", "1000")
            handler.end_headers()
            handler.wfile.write(b"half")
            handler.connection.shutdown(socket.SHUT_RDWR)

        server.answers(die)
        with pytest.raises(requests.RequestException):
            requests.get(server.url)
        assert in_hand.last_failure is not None
        assert in_hand.last_failure.code == "CONNECTION_LOST"

    def test_a_server_that_hangs_up_without_a_word(self, server: ScriptedServer, in_hand: Request) -> None:
        server.answers(lambda handler: handler.connection.shutdown(socket.SHUT_RDWR))
        with pytest.raises(requests.ConnectionError):
            requests.get(server.url)
        assert in_hand.last_failure is not None
        assert in_hand.last_failure.code == "CONNECTION_LOST"


def _closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port
