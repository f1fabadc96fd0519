"""The last call of ours that failed while a request was answered: what a 5xx of our own will have to tell."""

from __future__ import annotations

from dataclasses import dataclass

from otel_resilience.context import request, service
from otel_resilience.errors.chain import ErrorChain
from otel_resilience.errors.hop import Hop, HopKind
from otel_resilience.errors.reading import Reading
from otel_resilience.events import Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedCall:
    """One call that failed. ``received`` is the chain that its peer sent, ``None`` where the story begins with us.

    ``exhausted``: our retries were used up on it.
    """

    code: str
    kind: HopKind = HopKind.LOCAL
    retryable: bool = False
    exhausted: bool = False
    received: ErrorChain | None = None

    @classmethod
    def of(cls, reading: Reading, *, exhausted: bool = False) -> FailedCall:
        return cls(
            code=reading.code or "INTERNAL",
            kind=reading.kind,
            retryable=reading.retryable,
            exhausted=exhausted,
            received=reading.chain,
        )

    def chain(self, trace_id: str | None, span_id: str | None, operation: str | None = None) -> ErrorChain:
        """The chain with this service's hop of that span, whose code is that of the failed call."""
        own = service.current()
        hop = Hop(
            service=own.name,
            version=own.version,
            code=self.code,
            kind=self.kind,
            retryable=self.retryable,
            exhausted=self.exhausted,
            operation=operation,
            trace_id=trace_id,
            span_id=span_id,
        )
        return ErrorChain.of(hop) if self.received is None else self.received.extended(hop)

    def cause(self) -> Cause:
        """Its root, for what it may open."""
        if self.received is None:
            return Cause(service=service.current().name, code=self.code)
        root = self.received.root
        return Cause(service=root.service, code=root.code, trace_id=root.trace_id)


def remember(failed: FailedCall) -> None:
    """Let the request in hand, if there is one, know of the failed call."""
    current = request.current()
    if current is not None:
        current.last_failure = failed
