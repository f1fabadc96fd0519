"""The way of a failure through services, root first; never changed in place."""

from __future__ import annotations

from dataclasses import dataclass

from otel_resilience.errors.hop import Hop

MAX_HOPS = 8


@dataclass(frozen=True, slots=True)
class ErrorChain:
    hops: tuple[Hop, ...]
    omitted: int = 0

    @classmethod
    def of(cls, hop: Hop) -> ErrorChain:
        return cls((hop,))

    @property
    def root(self) -> Hop:
        return self.hops[0]

    @property
    def root_cause_code(self) -> str:
        return self.root.code

    @property
    def services_involved(self) -> tuple[str, ...]:
        return tuple(hop.service for hop in self.hops)

    @property
    def chain_length(self) -> int:
        return len(self.hops)

    @property
    def trace_id(self) -> str | None:
        return self.root.trace_id

    @property
    def retryable(self) -> bool:
        return self.root.retryable

    @property
    def exhausted(self) -> bool:
        return any(hop.exhausted for hop in self.hops)

    def extended(self, hop: Hop) -> ErrorChain:
        if hop.span_id is not None and any(
            known.service == hop.service and known.span_id == hop.span_id for known in self.hops
        ):
            return self
        hops = (*self.hops, hop)
        excess = max(0, len(hops) - MAX_HOPS)
        return ErrorChain((hops[0], *hops[1 + excess :]), self.omitted + excess)
