"""A failure's story on a span: the same attributes on our INTERNAL spans and on the SERVER span of every hop."""

from __future__ import annotations

from opentelemetry.trace import Span, SpanContext, TraceFlags
from opentelemetry.util.types import AttributeValue

from otel_resilience.errors.chain import ErrorChain
from otel_resilience.errors.hop import Hop
from otel_resilience.telemetry import names


def record_chain(span: Span, chain: ErrorChain, own_code: str | None) -> None:
    """Put ``chain`` on ``span``, and a link to its root unless ``span`` is the root's own.

    ``own_code`` is this service's part in it, ``None`` where that may not be seen. To be called once for a span,
    before it ends.
    """
    if not span.is_recording():
        return
    root = chain.root
    attributes: dict[str, AttributeValue] = {
        names.ERROR_ROOT_SERVICE: root.service,
        names.ERROR_ROOT_CODE: root.code,
        names.ERROR_CHAIN_SERVICES: [hop.service for hop in chain.hops],
        names.ERROR_CHAIN_CODES: [hop.code for hop in chain.hops],
        names.ERROR_CHAIN_LENGTH: chain.chain_length,
        names.ERROR_CHAIN_OMITTED: chain.omitted,
        names.ERROR_RETRYABLE: chain.retryable,
    }
    if own_code is not None:
        attributes[names.ERROR_CODE] = own_code
    if root.trace_id is not None:
        attributes[names.ERROR_ROOT_TRACE_ID] = root.trace_id
    if root.span_id is not None:
        attributes[names.ERROR_ROOT_SPAN_ID] = root.span_id
    span.set_attributes(attributes)
    target = _context_of(root, is_remote=len(chain.hops) > 1)
    if target is not None and not _same(target, span.get_span_context()):
        span.add_link(target)


def _context_of(root: Hop, *, is_remote: bool) -> SpanContext | None:
    if root.trace_id is None or root.span_id is None:
        return None
    return SpanContext(
        int(root.trace_id, 16), int(root.span_id, 16), is_remote, TraceFlags(TraceFlags.SAMPLED)
    )


def _same(one: SpanContext, other: SpanContext) -> bool:
    return (one.trace_id, one.span_id) == (other.trace_id, other.span_id)
