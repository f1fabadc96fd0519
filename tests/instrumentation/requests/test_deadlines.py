"""Answers that never come, bodies that trickle, and streams, within a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
import requests

from otel_resilience import Deadline, DeadlineExceededError, ServiceTimeoutError
from otel_resilience.context import deadline
from otel_resilience.events import ExecutionRejected
from otel_resilience.testing import Recorder
from tests.instrumentation.http_server import ScriptedServer

pytestmark = pytest.mark.usefixtures("instrumented")


BREAKER = "circuit_breaker: {failure_threshold: 1}"


class TestUnderTheDeadlineOfTheRequestInHand:
    """No timeout is written for the calls below; the one who asked gives up all the same."""

    def test_a_call_that_nobody_waits_for_is_refused_and_is_no_fault_of_the_peers(
        self, policies: Any, server: ScriptedServer
    ) -> None:
        policies(BREAKER)
        token = deadline.tighten(0.0)
        with Recorder() as recorder, pytest.raises(requests.Timeout) as raised:
            requests.get(server.url)
        deadline.restore(token)
        assert isinstance(raised.value, DeadlineExceededError)
        assert [event.reason for event in recorder.of(ExecutionRejected)] == ["deadline_exceeded"]
        assert server.asked == []
        assert requests.get(server.url).status_code == 200

    def test_a_call_that_outlasts_it_ends_as_by_a_timeout(
        self, policies: Any, server: ScriptedServer
    ) -> None:
        policies(BREAKER)
        server.answers(lambda handler: server.stopping.wait(5) and None)
        token = deadline.tighten(0.2)
        with pytest.raises(ServiceTimeoutError) as raised:
            requests.get(server.url)
        deadline.restore(token)
        assert not raised.value.retryable


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
