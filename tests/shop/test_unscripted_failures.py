"""What nobody scripted: a killed process, a port that refuses, a name that leads nowhere, a body that trickles."""

from __future__ import annotations

import signal
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler

import pytest

from otel_resilience.cli.demo.receiver import Receiver
from otel_resilience.cli.demo.telemetry import Span
from otel_resilience.cli.demo.traces import Trace
from tests.instrumentation.http_server import ScriptedServer
from tests.shop.customer import chain_on, check_out, entry_of, trace_of
from tests.shop.restartable import RestartableShop

_ON_THE_WAY = ("payments", "orders", "gateway")


@pytest.fixture
def shop(guarded_shop: RestartableShop) -> RestartableShop:
    """A shop that has its ledger."""
    guarded_shop.have("ledger")
    return guarded_shop


def failing_trace(shop: RestartableShop, receiver: Receiver) -> Trace:
    """The trace of a checkout that fails because of what is behind payments."""
    answer = check_out(shop.ports["gateway"])
    assert answer.status == 502
    return trace_of(receiver, answer, *_ON_THE_WAY)


def assert_payments_is_the_root(trace: Trace, code: str) -> None:
    """The same story on every service's SERVER span, with no more than it went through on each."""
    seen = chain_on(entry_of(trace))
    assert seen == [("payments", code), ("orders", "HTTP_503"), ("gateway", "HTTP_502")]
    for passed, service in enumerate(_ON_THE_WAY, start=1):
        (answering,) = trace.of(service=service, kind="SERVER")
        assert chain_on(answering) == seen[:passed]
        assert answering.attributes["resilience.error.root.service"] == "payments"
        assert answering.attributes["resilience.error.root.trace_id"] == trace.trace_id
        assert answering.status == "ERROR"
    (root,) = trace.of(service="payments", kind="SERVER")
    assert entry_of(trace).attributes["resilience.error.root.span_id"] == root.span_id
    assert call_of_ledger(trace).attributes["service.peer.name"] == "ledger"


def call_of_ledger(trace: Trace) -> Span:
    """The INTERNAL span of payments' call that failed, which is its only one."""
    (call,) = trace.guards("payments")
    return call


def attempts_in(trace: Trace) -> list[str]:
    return [span.kind for span in trace.children(call_of_ledger(trace))]


def test_a_process_killed_while_it_answers(shop: RestartableShop, receiver: Receiver) -> None:
    shop.have("payments")
    assert check_out(shop.ports["gateway"]).status == 200
    ledger = shop.processes["ledger"]
    ledger.send_signal(signal.SIGSTOP)
    with ThreadPoolExecutor() as customers:
        pending = customers.submit(failing_trace, shop, receiver)
        time.sleep(
            0.3
        )  # for the request to reach the ledger; the operating system takes it in the ledger's name
        ledger.kill()
        trace = pending.result()

    # A machine under load may have been slower than that: then nobody was there to take it.
    code = entry_of(trace).attributes["resilience.error.root.code"]
    assert code in ("CONNECTION_LOST", "CONNECT_FAILED")
    assert_payments_is_the_root(trace, code)
    assert len(attempts_in(trace)) == {"CONNECTION_LOST": 1, "CONNECT_FAILED": 3}[code]


def test_a_port_that_refuses_since_its_process_was_killed(shop: RestartableShop, receiver: Receiver) -> None:
    shop.have("payments")
    shop.processes["ledger"].kill()
    shop.processes["ledger"].wait()

    trace = failing_trace(shop, receiver)

    assert_payments_is_the_root(trace, "CONNECT_FAILED")
    assert attempts_in(trace) == ["CLIENT"] * 3

    shop.have("ledger")
    assert check_out(shop.ports["gateway"]).status == 200


def test_a_name_that_does_not_resolve(shop: RestartableShop, receiver: Receiver) -> None:
    shop.have("payments", SHOP_LEDGER_URL="http://ledger.invalid:8003")

    trace = failing_trace(shop, receiver)

    assert_payments_is_the_root(trace, "DNS_FAILED")
    assert attempts_in(trace)[0] == "CLIENT"


def test_a_body_that_trickles_ends_with_the_deadline(
    shop: RestartableShop, receiver: Receiver, peer: ScriptedServer
) -> None:
    timeout, between_bytes = 1.5, 0.1

    def trickle(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "10000")
        handler.end_headers()
        while not peer.stopping.wait(between_bytes):
            try:
                handler.wfile.write(b" ")
            except OSError:  # the reader has hung up
                return

    peer.answers(trickle)
    shop.have("payments", SHOP_LEDGER_URL=peer.url)

    trace = failing_trace(shop, receiver)

    assert_payments_is_the_root(trace, "SERVICE_TIMEOUT")
    assert attempts_in(trace) == ["CLIENT"]
    seconds = call_of_ledger(trace).milliseconds / 1000
    # Within one read, and a second for a machine under load; the whole body would take a quarter of an hour.
    assert timeout <= seconds < timeout + between_bytes + 1
