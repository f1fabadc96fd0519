"""What a failing answer of this service tells: its chain, once for a request, on the span, the metrics and the wire."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from opentelemetry import trace

from otel_resilience import clock
from otel_resilience.context import service
from otel_resilience.context.request import Request
from otel_resilience.errors import aggregate, codes
from otel_resilience.errors.adopt import is_exhausted
from otel_resilience.errors.chain import ErrorChain
from otel_resilience.errors.codecs import error_chain as chain_codec
from otel_resilience.errors.failed_call import FailedCall
from otel_resilience.errors.hop import Hop, HopKind
from otel_resilience.errors.limits import LONGEST_DEADLINE
from otel_resilience.errors.reading import Reading, read_error
from otel_resilience.errors.redaction import redacted, shown_code
from otel_resilience.events import ExecutionFailed
from otel_resilience.listener import LISTENERS
from otel_resilience.outcome import Failure
from otel_resilience.telemetry import install as telemetry
from otel_resilience.telemetry import parents, safely
from otel_resilience.telemetry.chain_on_span import record_chain
from otel_resilience_instrumentation._ending import Ending
from otel_resilience_instrumentation._inbound import InboundScope

_log = logging.getLogger("otel_resilience")

#: Seconds: as long as a deadline may be. What is written for people as digits has an end.
_LONGEST_HINT = LONGEST_DEADLINE / 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a failing answer tells: ``chain``, this service's hop last.

    ``field``: its text, ``None`` where the caller may not read it. ``retry_after``: seconds after which the caller
    may come again, as far as anybody behind has said so; for callers that may read chains.
    """

    chain: ErrorChain
    field: str | None
    retry_after: float | None = None


def answer(
    scope: InboundScope,
    *,
    status: int | None = None,
    grpc_status: str | None = None,
    error: BaseException | None = None,
    code: str | None = None,
    span: trace.Span | None = None,
) -> Answer | None:
    """What a failing answer tells, ``None`` where it tells nothing: a success, a recovery, a caller's mistake.

    Never raises. Call it when the answer is known, while the SERVER span (``span``, by default the current one) is
    recording: the chain is recorded on it and counted, once for a request. The rest is as in ``Ending``; an exception
    that only stands for a status (``HTTPException``, ``abort``) is left out.
    """
    if scope.answered:
        return scope.answer
    if error is not None and not isinstance(error, Exception):
        return None  # the server is being stopped, or the caller has gone
    ending = Ending(status=status, grpc_status=grpc_status, error=error, code=code)
    if not ending.begins_a_hop:
        return None
    try:
        scope.answer = _tell(scope.request, ending, trace.get_current_span() if span is None else span)
        scope.answered = True
    except Exception:
        _log.exception("a failing answer goes out without its error chain")
    return scope.answer


def _tell(current: Request, ending: Ending, span: trace.Span) -> Answer | None:
    reading = None if ending.error is None else read_error(Failure(ending.error))
    failed = aggregate.causal(current.failures)
    whole = _chain(current, ending, reading, failed, span)
    if ending.error is not None and len(whole.hops) == 1:
        # The story begins here: its stack goes on record, once. The span, which is not ours, has the official one's.
        LISTENERS.announce(
            ExecutionFailed(
                name=service.current().name,
                error=ending.error,
                error_code=shown_code(whole.root) or codes.INTERNAL,
                remote=False,
                on_span=False,
            )
        )
    chain = redacted(whole)
    if chain is None:
        return None
    try:
        record_chain(span, chain, shown_code(whole.hops[-1]))
    except Exception:  # the span is not ours, and the story goes on without it
        safely.report("telling an error chain on the span of a request")
    telemetry.count_error(chain, _error_type(ending, reading))
    if not current.reads_chains:
        return Answer(chain=chain, field=None)
    return Answer(
        chain=chain, field=chain_codec.encode(chain), retry_after=_retry_after(ending, reading, failed)
    )


def _chain(
    current: Request, ending: Ending, reading: Reading | None, failed: FailedCall | None, span: trace.Span
) -> ErrorChain:
    own = _own_hop(current, ending, reading, span)
    if ending.is_own_refusal:
        return ErrorChain.of(own)
    own = replace(own, exhausted=is_exhausted(ending.error) or (failed is not None and failed.exhausted))
    carried = None if reading is None else reading.chain
    if carried is not None:
        return aggregate.carried_by(carried, current.failures).extended(own.passing_on())
    if failed is None:
        return ErrorChain.of(own)
    if failed.received is not None:
        return failed.extended(own.passing_on())
    # The root keeps what failed, whatever it answers.
    return failed.extended(replace(own, code=failed.code, kind=failed.kind, retryable=failed.retryable))


def _own_hop(current: Request, ending: Ending, reading: Reading | None, span: trace.Span) -> Hop:
    trace_id, span_id = current.span or parents.ids(span.get_span_context())
    this = service.current()
    code = ending.code or ending.answered_code
    kind, retryable = HopKind.LOCAL, code in codes.RETRYABLE
    if reading is not None and not ending.is_a_peers_answer:
        code, kind, retryable = reading.code or codes.INTERNAL, reading.kind, reading.retryable
    return Hop(
        service=this.name,
        version=this.version,
        operation=current.operation,
        code=code,
        kind=kind,
        retryable=retryable,
        trace_id=trace_id,
        span_id=span_id,
        timestamp=datetime.fromtimestamp(clock.current().wall(), UTC),
    )


def _error_type(ending: Ending, reading: Reading | None) -> str:
    if reading is not None:
        return reading.error_type or codes.INTERNAL
    return ending.grpc_status or str(ending.status)


def _retry_after(ending: Ending, reading: Reading | None, failed: FailedCall | None) -> float | None:
    """The hint of the error that made the answer, else what is left of that of the call that failed."""
    if reading is not None and reading.retry_after is not None:
        return min(reading.retry_after, _LONGEST_HINT)
    if failed is None or failed.retry_after is None or ending.is_own_refusal:
        return None
    left = failed.ended + min(failed.retry_after, _LONGEST_HINT) - clock.current().monotonic()
    return max(0.0, left)
