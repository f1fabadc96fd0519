"""One INTERNAL span around one CLIENT span an attempt, whatever was loaded first and whoever else is there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from opentelemetry.instrumentation.requests import RequestsInstrumentor as OfficialInstrumentor
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from otel_resilience.context import service
from otel_resilience_instrumentation._settings import Runtime
from otel_resilience_instrumentation.requests import RequestsInstrumentor
from tests.instrumentation.http_server import Reply, ScriptedServer

ORIGINAL = requests.Session.send

OURS, OFFICIAL = RequestsInstrumentor, OfficialInstrumentor


def steps(*names: str) -> list[Callable[[], Any]]:
    """``+ours`` instruments, ``-ours`` uninstruments, likewise ``official``."""
    kinds = {"ours": OURS, "official": OFFICIAL}
    return [
        (
            lambda kind=kinds[name[1:]], begin=name[0] == "+": (
                kind().instrument() if begin else kind().uninstrument()
            )
        )
        for name in names
    ]


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    assert requests.Session.send is ORIGINAL
    yield
    for kind in (OURS, OFFICIAL):
        if kind().is_instrumented_by_opentelemetry:
            kind().uninstrument()
    assert requests.Session.send is ORIGINAL


@pytest.fixture
def guarded(settings: Callable[..., Runtime], server: ScriptedServer) -> None:
    settings(
        f'services: {{ledger: {{match: ["{server.address}"], '
        "retry: {max_attempts: 3, backoff: {initial: 1ms, jitter: none}}}}"
    )


LOADED = {
    "ours alone": ("+ours",),
    "ours first": ("+ours", "+official"),
    "the official one first": ("+official", "+ours"),
    "the official one gone": ("+ours", "+official", "-official"),
    "ours gone and back": ("+ours", "+official", "-ours", "+ours"),
    "both gone and back": ("+official", "+ours", "-official", "-ours", "+ours", "+official"),
}


@pytest.mark.parametrize("order", LOADED)
def test_the_same_tree_in_every_order(
    order: str, guarded: None, server: ScriptedServer, spans: InMemorySpanExporter
) -> None:
    for step in steps(*LOADED[order]):
        step()
    server.answers(Reply(503), Reply(503), Reply())
    assert requests.get(server.url).status_code == 200
    *attempts, call = spans.get_finished_spans()
    assert (call.name, call.kind, call.parent) == ("execute ledger", SpanKind.INTERNAL, None)
    assert [(span.name, span.kind) for span in attempts] == [("GET", SpanKind.CLIENT)] * 3
    assert {span.parent.span_id for span in attempts if span.parent} == {call.context.span_id}
    assert [_of(span, "resilience.attempt.number") for span in attempts] == [1, 2, 3]
    assert [_of(span, "http.request.resend_count") for span in attempts] == [None, 1, 2]
    assert [span.status.status_code for span in attempts] == [
        StatusCode.ERROR,
        StatusCode.ERROR,
        StatusCode.UNSET,
    ]
    on_the_wire = [asked.headers["traceparent"].split("-")[2] for asked in server.asked]
    assert on_the_wire == [f"{span.context.span_id:016x}" for span in attempts]


@pytest.mark.parametrize(
    "order", [("+official",), ("+official", "+ours", "-ours"), ("+ours", "+official", "-ours")]
)
def test_without_ours_the_official_one_is_as_it_was(
    order: tuple[str, ...], guarded: None, server: ScriptedServer, spans: InMemorySpanExporter
) -> None:
    for step in steps(*order):
        step()
    server.answers(Reply(503))
    requests.get(server.url)
    assert [span.name for span in spans.get_finished_spans()] == ["GET"]
    assert "resilience" not in server.asked[0].headers


def test_our_client_span_by_the_stable_conventions(
    settings: Callable[..., Runtime], server: ScriptedServer, spans: InMemorySpanExporter
) -> None:
    settings()
    OURS().instrument()
    server.answers(Reply(404))
    requests.get(f"http://me:secret@{server.address}/accounts?sig=abc&page=2")
    (span,) = spans.get_finished_spans()
    assert dict(span.attributes or {}) == {
        "http.request.method": "GET",
        "url.full": f"http://REDACTED:REDACTED@{server.address}/accounts?sig=REDACTED&page=2",
        "server.address": "127.0.0.1",
        "server.port": server.port,
        "http.response.status_code": 404,
        "error.type": "404",
    }
    assert span.instrumentation_scope is not None
    assert span.instrumentation_scope.name == "otel_resilience"


def test_our_client_span_of_an_attempt_that_got_no_answer(
    settings: Callable[..., Runtime], server: ScriptedServer, spans: InMemorySpanExporter
) -> None:
    settings()
    OURS().instrument()
    with pytest.raises(requests.ConnectionError):
        requests.request("BREW", "http://ledger.invalid/")
    (span,) = spans.get_finished_spans()
    assert span.name == "HTTP"
    assert _of(span, "http.request.method") == "_OTHER"
    assert _of(span, "http.request.method_original") == "BREW"
    assert _of(span, "error.type") == "requests.exceptions.ConnectionError"
    assert span.status.status_code is StatusCode.ERROR
    assert span.events == ()


def test_a_redirect_is_one_span(
    settings: Callable[..., Runtime], server: ScriptedServer, spans: InMemorySpanExporter
) -> None:
    settings()
    OURS().instrument()
    server.answers(Reply(302, {"Location": "/next"}), Reply())
    requests.get(server.url)
    assert [span.name for span in spans.get_finished_spans()] == ["GET"]


def test_the_chain_stands_on_the_span_of_the_call(
    guarded: None, server: ScriptedServer, spans: InMemorySpanExporter
) -> None:
    OURS().instrument()
    trace_id, span_id = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    server.answers(Reply(503, {"error-chain": f'"ledger";c=DB_UNAVAILABLE;t="{trace_id}";s="{span_id}"'}))
    requests.get(server.url)
    call = spans.get_finished_spans()[-1]
    assert _of(call, "resilience.error.chain.services") == ("ledger", service.current().name)
    assert _of(call, "resilience.error.chain.codes") == ("DB_UNAVAILABLE", "HTTP_503")
    assert _of(call, "resilience.error.root.trace_id") == trace_id
    assert _of(call, "error.type") == "503"
    assert call.status.status_code is StatusCode.ERROR
    assert [f"{link.context.span_id:016x}" for link in call.links] == [span_id]


def _of(span: ReadableSpan, name: str) -> Any:
    return (span.attributes or {}).get(name)
