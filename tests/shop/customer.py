"""A customer who says which trace each checkout is, so that what the services tell of it can be found."""

from __future__ import annotations

import http.client
import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from otel_resilience.cli.demo.receiver import Receiver
from otel_resilience.cli.demo.telemetry import Span
from otel_resilience.cli.demo.traces import Trace, traces_of

T = TypeVar("T")

#: Long for a loaded machine; nothing waits for it that is not lost.
_PATIENCE = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of one checkout, in ``seconds``."""

    status: int
    trace_id: str
    seconds: float


def check_out(port: int, headers: Mapping[str, str] | None = None) -> Answer:
    """One checkout at the gateway on ``port``."""
    trace_id = secrets.token_hex(16)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
    began = time.perf_counter()
    try:
        connection.request(
            "POST",
            "/checkout",
            json.dumps({"account": "alice", "amount": 1}),
            {
                "content-type": "application/json",
                "traceparent": f"00-{trace_id}-{secrets.token_hex(8)}-01",
                **(headers or {}),
            },
        )
        response = connection.getresponse()
        response.read()
        return Answer(status=response.status, trace_id=trace_id, seconds=time.perf_counter() - began)
    finally:
        connection.close()


def wait_for(look: Callable[[], T | None]) -> T:
    """What ``look`` finds, as soon as it finds something: telemetry arrives when it arrives."""
    ending = time.monotonic() + _PATIENCE
    while True:
        found = look()
        if found is not None:
            return found
        assert time.monotonic() < ending, f"nothing came within {_PATIENCE:g} s"
        time.sleep(0.02)


def trace_of(receiver: Receiver, answer: Answer, *services: str) -> Trace:
    """The trace of ``answer`` when the SERVER spans of ``services`` have come, each after all that is in it."""

    def look() -> Trace | None:
        trace = traces_of(receiver.telemetry.spans).get(answer.trace_id)
        if trace is None or not all(trace.of(service=service, kind="SERVER") for service in services):
            return None
        return trace

    return wait_for(look)


def entry_of(trace: Trace) -> Span:
    """The gateway's SERVER span, from which everything in the trace hangs."""
    (entry,) = trace.of(service="gateway", kind="SERVER")
    assert trace.roots == (entry,)
    return entry


def chain_on(span: Span) -> list[tuple[str, str]]:
    """The error chain on ``span``: service and code of each hop, root first."""
    services = span.attributes.get("resilience.error.chain.services", [])
    codes = span.attributes.get("resilience.error.chain.codes", [])
    return list(zip(services, codes, strict=True))
