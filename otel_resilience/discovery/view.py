"""A service as lookups see it: made anew at every change, and never changed, so that a lookup takes no lock."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from otel_resilience.discovery.backends.backend import Lease
from otel_resilience.discovery.endpoint import Endpoint
from otel_resilience.discovery.interface import Selector

#: Different questions (version and tags) whose answers one view remembers: they may come from users.
_REMEMBERED = 64

Question = tuple[str | None, frozenset[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One instance, healthy or not."""

    endpoint: Endpoint
    lease: Lease
    healthy: bool


class ServiceView:
    """All instances of one service as they were at one moment. ``valid_until``: the first end of a lease."""

    __slots__ = ("_answers", "_everything", "_select", "entries", "healthy", "valid_until")

    def __init__(self, entries: Sequence[Entry], select: Callable[[Sequence[Endpoint]], Selector]) -> None:
        self.entries = tuple(entries)
        self.healthy = tuple(entry for entry in entries if entry.healthy)
        self.valid_until = min((entry.lease.expires_at for entry in entries), default=math.inf)
        self._select = select
        self._answers: dict[Question, tuple[tuple[Entry, ...], Selector | None]] = {}
        self._everything = self._answer((None, frozenset()))

    @property
    def endpoints(self) -> list[Endpoint]:
        """The healthy ones."""
        return [entry.endpoint for entry in self.healthy]

    def choose(self, version: str | None, tags: frozenset[str], now: Callable[[], float]) -> Endpoint | None:
        """One healthy endpoint, or ``None`` where there is none that fits."""
        entries, selector = self._find(version, tags)
        if selector is None or self.valid_until == math.inf:
            return None if selector is None else selector()
        instant = now()
        if instant < self.valid_until:
            return selector()
        # A lease may have run out (or been renewed since) and the view is not made anew yet.
        left = [entry.endpoint for entry in entries if entry.lease.expires_at > instant]
        return self._select(left)() if left else None

    def all(self, version: str | None, tags: frozenset[str], now: float) -> list[Endpoint]:
        """All healthy endpoints that fit."""
        entries, _ = self._find(version, tags)
        return [entry.endpoint for entry in entries if entry.lease.expires_at > now]

    def _find(self, version: str | None, tags: frozenset[str]) -> tuple[tuple[Entry, ...], Selector | None]:
        if version is None and not tags:
            return self._everything
        question = (version, tags)
        answer = self._answers.get(question)
        if answer is None:
            answer = self._answer(question)
            if len(self._answers) < _REMEMBERED:
                # Two threads may both answer the first question of its kind; one answer stays.
                answer = self._answers.setdefault(question, answer)
        return answer

    def _answer(self, question: Question) -> tuple[tuple[Entry, ...], Selector | None]:
        version, tags = question
        fitting = tuple(
            entry
            for entry in self.healthy
            if (version is None or entry.endpoint.version == version) and tags <= entry.endpoint.tags
        )
        return fitting, self._select([entry.endpoint for entry in fitting]) if fitting else None
