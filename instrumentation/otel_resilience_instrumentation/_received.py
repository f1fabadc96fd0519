"""The error chain on a response: believed from inside the boundary only, and decoded without ever raising."""

from __future__ import annotations

from otel_resilience.errors.chain import ErrorChain
from otel_resilience.errors.codecs import error_chain as codec
from otel_resilience.errors.codecs.carriers import CHAIN_FIELD
from otel_resilience.errors.codecs.field_error import FieldError
from otel_resilience.events import FieldDiscarded
from otel_resilience.listener import LISTENERS
from otel_resilience_instrumentation._settings import runtime


def read_chain(value: str | None, *, host: str | None) -> ErrorChain | None:
    """The chain that ``host`` sent; ``None`` where it sent none, may not be believed, or sent something else (counted)."""
    if value is None:
        return None
    if not runtime().exchanges_with(host):
        discard(CHAIN_FIELD, "untrusted")
        return None
    try:
        return codec.decode(value)
    except FieldError as error:
        discard(CHAIN_FIELD, error.reason)
        return None


def discard(field: str, reason: str) -> None:
    """Count a field of a peer that is ignored; ``reason`` is ``malformed``, ``oversized`` or ``untrusted``."""
    LISTENERS.announce(FieldDiscarded(name=field, reason=reason))
