"""Failures nobody scripted."""

from __future__ import annotations

import socket
from http.server import BaseHTTPRequestHandler

import pytest
import requests

from otel_resilience import CircuitOpenError
from otel_resilience.context.request import Request
from tests.instrumentation.http_server import ScriptedServer
from tests.instrumentation.requests.exchange import Settings

pytestmark = pytest.mark.usefixtures("instrumented")


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
        assert in_hand.failures
        assert (in_hand.failures[-1].code, in_hand.failures[-1].kind) == ("CONNECT_FAILED", "remote")
        with pytest.raises(CircuitOpenError):
            requests.get(f"http://127.0.0.1:{port}/")

    def test_a_name_that_does_not_resolve(self, in_hand: Request) -> None:
        with pytest.raises(requests.ConnectionError):
            requests.get("http://ledger.invalid/")
        assert in_hand.failures
        assert (in_hand.failures[-1].code, in_hand.failures[-1].kind) == ("DNS_FAILED", "remote")

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
        assert in_hand.failures
        assert in_hand.failures[-1].code == "CONNECTION_LOST"

    def test_a_server_that_hangs_up_without_a_word(self, server: ScriptedServer, in_hand: Request) -> None:
        server.answers(lambda handler: handler.connection.shutdown(socket.SHUT_RDWR))
        with pytest.raises(requests.ConnectionError):
            requests.get(server.url)
        assert in_hand.failures
        assert in_hand.failures[-1].code == "CONNECTION_LOST"


def _closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port
