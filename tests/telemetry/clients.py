"""A client as an instrumentation would guard it: a dialect, and one CLIENT span per attempt by somebody else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from opentelemetry.trace import SpanKind, Tracer

from otel_resilience.errors.chain import ErrorChain
from otel_resilience.errors.hop import Hop, HopKind
from otel_resilience.errors.reading import PlainDialect, Reading, read_error
from otel_resilience.outcome import Failure, Result, Verdict

LEDGER_TRACE = "0123456789abcdef0123456789abcdef"
LEDGER_SPAN = "0123456789abcdef"


def ledger_chain() -> ErrorChain:
    """What payments answers when the ledger's database is away."""
    root = Hop(
        service="ledger",
        code="DB_UNAVAILABLE",
        retryable=True,
        trace_id=LEDGER_TRACE,
        span_id=LEDGER_SPAN,
    )
    return ErrorChain.of(root).extended(Hop(service="payments", code="HTTP_503", span_id="00000000000000aa"))


def expect_chain_of_ledger(*, own_service: str, own_code: str) -> dict[str, Any]:
    """What ``ledger_chain`` puts on a span of the service that received it."""
    return {
        "resilience.error.code": own_code,
        "resilience.error.root.service": "ledger",
        "resilience.error.root.code": "DB_UNAVAILABLE",
        "resilience.error.root.trace_id": LEDGER_TRACE,
        "resilience.error.root.span_id": LEDGER_SPAN,
        "resilience.error.chain.services": ("ledger", "payments", own_service),
        "resilience.error.chain.codes": ("DB_UNAVAILABLE", "HTTP_503", own_code),
        "resilience.error.chain.length": 3,
        "resilience.error.chain.omitted": 0,
        "resilience.error.retryable": True,
    }


class Response:
    def __init__(self, status: int, chain: ErrorChain | None = None) -> None:
        self.status = status
        self.chain = chain


class HttpDialect(PlainDialect):
    """HTTP as far as these tests need it: a status of 500 or more is a failure though it is returned."""

    def read(self, result: Result[Any]) -> Reading:
        if isinstance(result, Failure):
            return read_error(result, remote=True)
        response: Response = result.value
        failed = response.status >= 500
        return Reading(
            failed=failed,
            verdict=Verdict.FAILURE if failed else Verdict.SUCCESS,
            code=f"HTTP_{response.status}" if failed else None,
            error_type=str(response.status) if response.status >= 400 else None,
            kind=HopKind.REMOTE if failed else HopKind.LOCAL,
            retryable=failed,
            chain=response.chain,
        )


HTTP = HttpDialect()


def get(tracer: Tracer, *responses: Response, key: str = "http.request.method") -> Callable[[], Response]:
    """One attempt after another, each with a CLIENT span as the official instrumentations draw it."""
    waiting = list(responses)

    def attempt() -> Response:
        with tracer.start_as_current_span("GET", kind=SpanKind.CLIENT, attributes={key: "GET"}):
            return waiting.pop(0)

    return attempt
