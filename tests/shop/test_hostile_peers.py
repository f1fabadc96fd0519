"""Peers that send what they should not: it is ignored and counted, and the story begins with whom we know."""

from __future__ import annotations

import json

import pytest

from otel_resilience.cli.demo.receiver import Receiver
from tests.instrumentation.http_server import Reply, ScriptedServer
from tests.shop.customer import chain_on, check_out, entry_of, trace_of, wait_for
from tests.shop.restartable import RestartableShop

_TRACE, _SPAN = "1" * 32, "2" * 16
_GARBLED = (
    "ledger",
    '"ledger',
    '"ledger"',
    '"ledger";c=DB_UNAVAILABLE,',
    '"ledger";c="DB_UNAVAILABLE"',
    '"ledger";c=db_unavailable',
    '"ledger";c=DB_UNAVAILABLE;t=1',
    '"ledger";c=DB_UNAVAILABLE;k=emperor',
    '("ledger" "payments");c=DB_UNAVAILABLE',
    "42;c=DB_UNAVAILABLE",
    "\xff\xfe\x00",
)
_HOSTILE = (
    f'"ledger";c=DB_UNAVAILABLE;t="{"0" * 32}"',
    f'"ledger";c=DB_UNAVAILABLE;t="{_TRACE.upper().replace("1", "G")}"',
    f'"ledger";c=DB_UNAVAILABLE;s="{_SPAN}<script>"',
    '"ledger";c=DROP_TABLE;n=-1',
    '"ledger";c=DB_UNAVAILABLE;n=999999999999999',
    '"a";c=A, "b";c=B;t="' + _TRACE + '"',
    ", ".join(['"again";c=LOOP'] * 9),
    "(" * 2000,
    '"ledger";c=' + "A" * 64,
)
_OVERSIZED = (
    '"ledger";c=DB_UNAVAILABLE;o="' + "x" * 2048 + '"',
    ", ".join([f'"service-{n}";c=LOOP' for n in range(1000)]),
    "(" * 60_000,
)
#: What a ledger answers that means well.
_BOOKED = Reply(200, {"Content-Type": "application/json"}, json.dumps({"id": "alice", "entry": 1}).encode())


def discarded(receiver: Receiver, service: str, since: int) -> dict[str, float]:
    """How often ``service`` ignored a field, by reason, in its newest word of what arrived after ``since``."""
    return {
        point.attributes["resilience.discard.reason"]: point.value
        for point in receiver.telemetry.points[since:]
        if point.service == service and point.name == "resilience.propagation.discarded" and point.value
    }


def test_chains_that_are_none_are_ignored_and_counted(
    unguarded_shop: RestartableShop, receiver: Receiver, peer: ScriptedServer
) -> None:
    peer.answers(_BOOKED)
    unguarded_shop.have("payments", fresh=True, SHOP_LEDGER_URL=peer.url)
    known = len(receiver.telemetry.points)
    answers = {}
    for text in (*_GARBLED, *_HOSTILE, *_OVERSIZED):
        peer.answers(Reply(503, {"error-chain": text}))
        answers[text] = check_out(unguarded_shop.ports["gateway"])

    for text, answer in answers.items():
        assert answer.status == 502, text
        # The story begins with whom we know, and tells what he saw: a 503.
        assert chain_on(entry_of(trace_of(receiver, answer, "payments", "orders", "gateway"))) == [
            ("payments", "HTTP_503"),
            ("orders", "HTTP_503"),
            ("gateway", "HTTP_502"),
        ], text
    wanted = {"malformed": len(_GARBLED) + len(_HOSTILE), "oversized": len(_OVERSIZED)}
    wait_for(lambda: discarded(receiver, "payments", known) == wanted or None)
    assert "Traceback" not in unguarded_shop.log("payments")

    peer.answers(_BOOKED)
    assert check_out(unguarded_shop.ports["gateway"]).status == 200


def test_request_fields_that_are_none_are_ignored_and_counted(
    unguarded_shop: RestartableShop, receiver: Receiver
) -> None:
    unguarded_shop.have("payments")
    unguarded_shop.have("gateway", fresh=True)
    known = len(receiver.telemetry.points)
    hostile = [
        {"resilience": "deadline=-1"},
        {"resilience": "deadline=0.5, chain"},
        {"resilience": "attempt=0"},
        {"resilience": "chain=yes, ("},
        {"x-correlation-id": "a b"},
        {"x-correlation-id": "x" * 129},
        {"x-correlation-id": "${jndi:ldap://outside}"},
    ]
    for headers in (*hostile, {"resilience": "chain, " + "x" * 4096}):
        answer = check_out(unguarded_shop.ports["gateway"], headers)

        assert answer.status == 200, headers
        entry = entry_of(trace_of(receiver, answer, "ledger", "payments", "orders", "gateway"))
        assert entry.attributes["resilience.correlation.id"] not in headers.values()
    wanted = {"malformed": len(hostile), "oversized": 1}
    wait_for(lambda: discarded(receiver, "gateway", known) == wanted or None)


@pytest.mark.parametrize("lines", [1, 200], ids=["a line too long", "too many lines"])
def test_what_the_library_itself_refuses_is_a_lost_connection(
    unguarded_shop: RestartableShop, receiver: Receiver, peer: ScriptedServer, lines: int
) -> None:
    length = 70_000 if lines == 1 else 8
    peer.answers(Reply(503, {f"error-chain{'-' * line}": "(" * length for line in range(lines)}))
    unguarded_shop.have("payments", SHOP_LEDGER_URL=peer.url)

    answer = check_out(unguarded_shop.ports["gateway"])

    trace = trace_of(receiver, answer, "payments", "orders", "gateway")
    assert chain_on(entry_of(trace))[0] == ("payments", "CONNECTION_LOST")
