"""The way of a failure through services, root first; a step makes the next chain, none is changed in place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from otel_resilience.errors.hop import Hop
from otel_resilience.errors.limits import MAX_HOPS


@dataclass(frozen=True, slots=True)
class ErrorChain:
    """The hops that a failure came through, root first, at least one and at most 8.

    ``omitted`` counts the rest: hops left out of a longer way, and those of other failures beside this one.
    """

    hops: tuple[Hop, ...]
    omitted: int = 0

    def __post_init__(self) -> None:
        if not 1 <= len(self.hops) <= MAX_HOPS:
            raise ValueError(f"ErrorChain hops must be 1 to {MAX_HOPS}, got {len(self.hops)}")
        if self.omitted < 0:
            raise ValueError(f"ErrorChain omitted must be at least 0, got {self.omitted}")

    @classmethod
    def of(cls, hop: Hop) -> ErrorChain:
        """The chain that begins with ``hop``."""
        return cls((hop,))

    @classmethod
    def of_many(cls, chains: Iterable[ErrorChain]) -> ErrorChain | None:
        """The chain of several failures that ended one piece of work together; ``None`` for none.

        The first is the cause, as the others were given up for it, but for what follows from failures
        (``HopKind.is_consequence``). The hops of the others are counted as omitted.
        """
        found = list(chains)
        if not found:
            return None
        cause = min(found, key=lambda chain: chain.root.kind.is_consequence)
        others = sum(each.chain_length + each.omitted for each in found if each.root != cause.root)
        return cause.leaving_out(others)

    @property
    def root(self) -> Hop:
        """Where it began."""
        return self.hops[0]

    @property
    def root_cause_code(self) -> str:
        return self.root.code

    @property
    def services_involved(self) -> tuple[str, ...]:
        """Root first, duplicates kept: a service that was passed twice is there twice."""
        return tuple(hop.service for hop in self.hops)

    @property
    def chain_length(self) -> int:
        """Hops that are held; ``omitted`` come to it."""
        return len(self.hops)

    @property
    def trace_id(self) -> str | None:
        """The trace in which it began."""
        return self.root.trace_id

    @property
    def retryable(self) -> bool:
        """Whether another try may help, by the root's word."""
        return self.root.retryable

    @property
    def exhausted(self) -> bool:
        """Whether a service on the way has used up its retries on it."""
        return any(hop.exhausted for hop in self.hops)

    def extended(self, hop: Hop) -> ErrorChain:
        """The chain one hop longer: the root and the last of the others.

        Unchanged where this very service and span is a hop already: a loop guard.
        """
        if hop.span_id is not None and any(
            known.service == hop.service and known.span_id == hop.span_id for known in self.hops
        ):
            return self
        hops = (*self.hops, hop)
        excess = max(0, len(hops) - MAX_HOPS)
        return ErrorChain((hops[0], *hops[1 + excess :]), self.omitted + excess)

    def leaving_out(self, hops: int) -> ErrorChain:
        """The chain with so many more ``hops`` counted as omitted: those of failures beside this one."""
        return ErrorChain(self.hops, self.omitted + hops) if hops else self

    def __str__(self) -> str:
        gap = f" ← … {self.omitted} omitted" if self.omitted else ""
        told = [f"{hop.service} {hop.code}" for hop in self.hops]
        return " ← ".join([told[0] + gap, *told[1:]])
