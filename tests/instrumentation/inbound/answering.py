"""A request that comes in and its answer, for tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from otel_resilience import ErrorChain, Hop
from otel_resilience.errors.failed_call import FailedCall
from otel_resilience.errors.hop import HopKind
from otel_resilience_instrumentation import _answer, _inbound
from otel_resilience_instrumentation._inbound import InboundScope
from otel_resilience_instrumentation._settings import Runtime

Settings = Callable[..., Runtime]


LEDGER = Hop(service="ledger", code="DB_UNAVAILABLE", retryable=True, trace_id="a" * 32, span_id="b" * 16)


RECEIVED = ErrorChain.of(LEDGER)


ASKS = {"resilience": "deadline=1500, attempt=2, chain"}


def enter(fields: dict[str, str] | None = None, peer: str = "127.0.0.1", **more: Any) -> InboundScope:
    return _inbound.enter(fields=(fields or {}).get, peer=peer, operation="POST /charge", **more)


def answer(last_failure: FailedCall | None = None, /, **known: Any) -> _answer.Answer | None:
    with enter({"resilience": "chain"}) as scope:
        scope.request.span = ("c" * 32, "d" * 16)
        if last_failure is not None:
            scope.request.remember(last_failure)
        return _answer.answer(scope, **known)


def hops(last_failure: FailedCall | None = None, /, **known: Any) -> list[tuple[str, str]] | None:
    told = answer(last_failure, **known)
    return None if told is None else [(hop.service, hop.code) for hop in told.chain.hops]


PASSED_ON = FailedCall(code="HTTP_503", kind=HopKind.REMOTE, received=RECEIVED)


WITHOUT_CHAIN = FailedCall(code="CONNECT_FAILED", kind=HopKind.REMOTE, retryable=True)


REJECTED = FailedCall(code="CIRCUIT_OPEN", kind=HopKind.REJECTED)


ROOT = ("ledger", "DB_UNAVAILABLE")
