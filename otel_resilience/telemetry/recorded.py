"""Which exceptions are on record with their stack: one record for each in a trace, at its origin."""

from __future__ import annotations

from opentelemetry import trace

from otel_resilience.errors.peek import peek

_MOST_VISITED = 64

#: Holds the trace: an exception that is made once and raised again and again belongs to many.
_MARK = "_otel_resilience_recorded"


def was_recorded(error: BaseException) -> bool:
    """Whether this exception is on record in the current trace, outside of any in whichever; from now on it is.

    One that was raised from it tells the same story. What was met while another one was handled does not: it may be
    a mistake of the handler's own.
    """
    trace_id = trace.get_current_span().get_span_context().trace_id
    cause: object = error
    for _ in range(_MOST_VISITED):
        known = peek(cause, _MARK)
        if known is not None and trace_id in (known, trace.INVALID_TRACE_ID):
            return True
        cause = peek(cause, "__cause__")
        if cause is None:
            break
    try:
        setattr(error, _MARK, trace_id)
    except Exception:  # a class without a place for it, or one that refuses: better twice than not at all
        return False
    return False
