"""Error chains by hand: for queues, and for code that no instrumentation covers."""

from __future__ import annotations

from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import TypeVar

from otel_resilience import clock
from otel_resilience.context import service as services
from otel_resilience.errors.adopt import attach, error_chain, is_exhausted
from otel_resilience.errors.chain import ErrorChain
from otel_resilience.errors.codecs import error_chain as codec
from otel_resilience.errors.codecs.carriers import CHAIN_FIELD, Carrier, get_field
from otel_resilience.errors.codecs.field_error import FieldError
from otel_resilience.errors.hop import Hop
from otel_resilience.errors.reading import read_error
from otel_resilience.errors.redaction import redacted
from otel_resilience.events import FieldDiscarded
from otel_resilience.exceptions import ConfigurationError, current_identity
from otel_resilience.listener import LISTENERS
from otel_resilience.outcome import Failure

E = TypeVar("E", bound=BaseException)


class ErrorPropagator:
    """Adds this service's hop to errors, and carries chains in any mapping of strings.

    ``service`` and ``version`` default to those of the telemetry provider's resource. No trust rule is
    applied here: whoever calls knows its transport. Immutable, safe for threads and tasks. Raises
    ``ConfigurationError`` for a name that is no text.
    """

    def __init__(self, service: str | None = None, version: str | None = None) -> None:
        for field, value in (("service", service), ("version", version)):
            if value is not None and not (isinstance(value, str) and value):
                raise ConfigurationError(
                    f"ErrorPropagator {field} must be a text that is not empty, got {value!r}"
                )
        self._service = service
        self._version = version

    def propagate(self, error: E, operation: str | None = None) -> E:
        """The same ``error``, its chain one hop longer: this service's hop, with the current span and the error's code."""
        reading = read_error(Failure(error))
        identity = current_identity()
        own = services.current()
        hop = Hop(
            service=self._service or own.name,
            version=self._version or (own.version if self._service is None else None),
            operation=operation,
            code=reading.code or "INTERNAL",
            kind=reading.kind,
            retryable=reading.retryable,
            exhausted=is_exhausted(error),
            trace_id=identity.trace_id,
            span_id=identity.span_id,
            timestamp=datetime.fromtimestamp(clock.current().wall(), UTC),
        )
        attach(
            error, ErrorChain.of(hop) if reading.chain is None else reading.chain.extended(hop.passing_on())
        )
        return error

    def inject(self, error: BaseException, carrier: MutableMapping[str, str]) -> None:
        """Write the chain of ``error`` into ``carrier`` under ``error-chain``; an error without a chain writes nothing."""
        chain = error_chain(error)
        seen = None if chain is None else redacted(chain)
        if seen is not None:
            carrier[CHAIN_FIELD] = codec.encode(seen)

    def extract(self, carrier: Carrier | None) -> ErrorChain | None:
        """The chain in ``carrier`` (keys without regard to case), ``None`` where there is none.

        Mappings, pairs as Kafka's clients have them, values as ``bytes``, lists of values: as messages come; ``None`` is a
        message without headers. A chain that is garbled or too large is ignored and counted; nothing is raised.
        """
        text = get_field(carrier or {}, CHAIN_FIELD)
        if text is None:
            return None
        try:
            return codec.decode(text)
        except FieldError as error:
            LISTENERS.announce(FieldDiscarded(name=CHAIN_FIELD, reason=error.reason))
            return None
