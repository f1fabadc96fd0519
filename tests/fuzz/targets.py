"""Everything that reads what a peer wrote, each with what it may answer: anything else, an exception too, is a fault."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from otel_resilience import Hop
from otel_resilience.boundary import Boundary, host_of_target
from otel_resilience.errors.codecs import (
    baggage,
    canonical_chain,
    chain_members,
    error_chain,
    error_info,
    request_field,
)
from otel_resilience.errors.codecs.carriers import valid_correlation_id
from otel_resilience.errors.codecs.field_error import FieldError
from otel_resilience.errors.dialects.http import seconds_until
from otel_resilience.errors.limits import HARD, LONGEST_DEADLINE, MAX_HOPS, MAX_NAME
from otel_resilience.exceptions import is_code
from otel_resilience_instrumentation import _grpc_metadata
from otel_resilience_instrumentation._problem import problem_chain
from tests.fuzz import shapes
from tests.fuzz.texts import Shapes

_OWN = Hop(service="gateway", code="HTTP_502", span_id="5" * 16, operation="GET /", version="1.0")
_BOUNDARY = Boundary("*.corp.example, 203.0.113.0/24", named=["pay.example.org"])
_ID = re.compile(r"\A[A-Za-z0-9._-]+\Z")


@dataclass(frozen=True, slots=True)
class Target:
    """A reader: ``judge`` gives it one input and raises where the answer is none that it may give.

    ``given`` makes the input of a text that was drawn. ``weight``: how many of a hundred inputs are for it.
    """

    name: str
    shapes: Shapes
    judge: Callable[[Any], None]
    weight: int
    given: Callable[[str], str | bytes] = str


def _judge_chain(text: str) -> None:
    try:
        chain = error_chain.decode(text)
    except FieldError:
        return
    assert canonical_chain.read(text) in (None, chain_members.read(text))
    assert 1 <= chain.chain_length <= MAX_HOPS
    for hop in chain.hops:
        assert is_code(hop.code)
        assert hop.service
        for name in (hop.service, hop.operation or "", hop.version or ""):
            assert name.isprintable()
            assert len(name.encode()) <= MAX_NAME
    sent_on = error_chain.encode(chain.extended(_OWN))
    assert sent_on.isascii()
    assert len(sent_on) <= HARD
    again = error_chain.decode(sent_on)
    assert (again.root.service, again.root_cause_code) == (chain.root.service, chain.root_cause_code)
    assert error_chain.encode(again) == sent_on


def _judge_request(text: str) -> None:
    try:
        field = request_field.decode(text)
    except FieldError:
        return
    assert field.deadline is None or 0 <= field.deadline <= LONGEST_DEADLINE / 1000
    assert field.attempt is None or field.attempt >= 1
    again = request_field.decode(request_field.encode(field))
    assert (again.attempt, again.chain) == (field.attempt, field.chain)


def _judge_correlation(text: str) -> None:
    assert valid_correlation_id(text) == (_ID.match(text) is not None and len(text) <= 128)


def _judge_baggage(text: str) -> None:
    carried = baggage.correlation_id(text)
    assert carried is None or _ID.match(carried)


def _judge_forwarded(text: str) -> None:
    if _BOUNDARY.forwarded_inside(None, text):
        assert set(text) <= set("0123456789abcdefABCDEF:.[], \t\r\n\x1f\xa0\u2028")
    for answer in (
        _BOUNDARY.forwarded_inside(text, None),
        _BOUNDARY.peer_inside(text),
        _BOUNDARY.inside(text),
    ):
        assert answer in (True, False)
    host = host_of_target(text)
    assert host is None or host


def _judge_error_info(status: bytes) -> None:
    chain = _grpc_metadata._from_error_info([(error_info.KEY, status)], "payments", "INTERNAL")
    assert chain is None or (
        is_code(chain.root_cause_code) and 1 <= len(chain.root.service.encode()) <= MAX_NAME
    )


def _judge_problem(body: bytes) -> None:
    for content_type in ("application/problem+json; charset=utf-8", body[:60].decode("latin-1")):
        chain = problem_chain(
            service="ledger", host="payments", status=503, content_type=content_type, body=body
        )
        assert chain is None or is_code(chain.root_cause_code)


def _judge_retry_after(text: str) -> None:
    seconds = seconds_until(text)
    assert seconds is None or (seconds >= 0 and math.isfinite(seconds))


TARGETS = (
    Target("error-chain", shapes.CHAIN, _judge_chain, 40),
    Target("resilience", shapes.REQUEST, _judge_request, 16),
    Target("correlation id", shapes.CORRELATION, _judge_correlation, 4),
    Target("baggage", shapes.BAGGAGE, _judge_baggage, 6),
    Target("Forwarded", shapes.FORWARDED, _judge_forwarded, 10),
    Target(
        "ErrorInfo", shapes.ERROR_INFO, _judge_error_info, 10, lambda text: text.encode("latin-1", "replace")
    ),
    Target(
        "problem+json", shapes.PROBLEM, _judge_problem, 8, lambda text: text.encode(errors="surrogatepass")
    ),
    Target("Retry-After", shapes.RETRY_AFTER, _judge_retry_after, 6),
)
