"""A call of ours that failed while a request was answered: what a 5xx of our own will have to tell."""

from __future__ import annotations

from dataclasses import dataclass

from otel_resilience import clock
from otel_resilience.context import request, service
from otel_resilience.context.guards import GuardedCall
from otel_resilience.errors import codes
from otel_resilience.errors.chain import ErrorChain
from otel_resilience.errors.hop import Hop, HopKind
from otel_resilience.errors.reading import Reading
from otel_resilience.errors.redaction import redacted
from otel_resilience.events import Cause
from otel_resilience.outcome import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedCall:
    """One call that failed. ``received`` is the chain that its peer sent, ``None`` where the story begins with us.

    ``exhausted``: our retries were used up on it. ``retry_after`` is the peer's hint in seconds, as it was when
    the call ended. ``began`` and ``ended`` are instants of the monotonic clock. ``others`` counts the hops of
    failures beside it that it stands for.
    """

    code: str
    kind: HopKind = HopKind.LOCAL
    retryable: bool = False
    exhausted: bool = False
    received: ErrorChain | None = None
    retry_after: float | None = None
    began: float = 0.0
    ended: float = 0.0
    others: int = 0

    @classmethod
    def of(cls, reading: Reading, *, exhausted: bool = False, began: float | None = None) -> FailedCall:
        """The call that ends now with ``reading``; ``began`` is now where it is not known."""
        now = clock.current().monotonic()
        return cls(
            code=reading.code or "INTERNAL",
            kind=reading.kind,
            retryable=reading.retryable,
            exhausted=exhausted,
            received=reading.chain,
            retry_after=reading.retry_after,
            began=now if began is None else began,
            ended=now,
        )

    @property
    def hops(self) -> int:
        """How many hops its story has: those of its peer, or the one that begins with us."""
        return 1 if self.received is None else self.received.chain_length + self.received.omitted

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
        return self.extended(hop)

    def extended(self, hop: Hop) -> ErrorChain:
        """The story one ``hop`` longer, the failures beside it counted as omitted."""
        chain = ErrorChain.of(hop) if self.received is None else self.received.extended(hop)
        return chain.leaving_out(self.others)

    def cause(self) -> Cause:
        """Its root, for what it may open."""
        seen = redacted(self.chain(None, None) if self.received is None else self.received)
        if seen is None:
            return Cause(service=None, code=codes.INTERNAL if self.received is None else self.code)
        return Cause(service=seen.root.service, code=seen.root.code, trace_id=seen.root.trace_id)


def remember(failed: FailedCall) -> None:
    """Let the request in hand, if there is one, know of the failed call."""
    current = request.current()
    if current is not None:
        current.remember(failed)


def remember_end(reading: Reading, *, began: float) -> None:
    """Remember a call that ended now with ``reading``, if it failed.

    A peer that answered well has not, though its answer was raised: a dependency's 404, or gRPC's ``NOT_FOUND``, is no
    failure that an answer of ours passes on.
    """
    if is_failure(reading):
        remember(FailedCall.of(reading, began=began))


def is_failure(reading: Reading) -> bool:
    """Whether a call that ended with ``reading`` failed, and not only the peer's answer was no good one."""
    return reading.failed and reading.verdict is not Verdict.SUCCESS


def take_inside(guard: GuardedCall) -> tuple[FailedCall, ...]:
    """What failed inside of ``guard`` while the request in hand was answered; it is forgotten."""
    current = request.current()
    return () if current is None else current.take_inside(guard)
