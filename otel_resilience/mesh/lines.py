"""The lines of one mesh: one to each service that is called, made at its first call."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from otel_resilience.discovery.interface import Registry
from otel_resilience.forking import forget_after_fork
from otel_resilience.mesh.line import Line
from otel_resilience.mesh.policies import MeshPolicies

#: Lines to services that may be gone are looked through when there are more of them.
SWEEP_ABOVE = 1024


class Lines:
    """Safe for threads: a line that is known is found without a lock."""

    def __init__(self, registry: Registry, zone: str | None, policies: MeshPolicies) -> None:
        self._registry = registry
        self._zone = zone
        self._policies = policies
        self._known: dict[str, Line] = {}
        self._sweep_above = SWEEP_ABOVE
        self.forget()
        forget_after_fork(self)

    def forget(self) -> None:
        """In a forked child: have a lock that nobody holds."""
        self._lock = threading.Lock()  # guards what is written; nothing else happens under it

    def to(self, service: str) -> Line:
        """The line to ``service``. Raises ``ServiceNotFoundError``: names may come from users, and get no line."""
        line = self._known.get(service)
        if line is not None:
            return line
        self._registry.discover_all(service)
        made = Line(self._registry, service, self._zone, self._policies)
        self._sweep()
        with self._lock:
            return self._known.setdefault(service, made)

    def __iter__(self) -> Iterator[Line]:
        return iter(tuple(self._known.copy().values()))

    def __len__(self) -> int:
        return len(self._known)

    def _sweep(self) -> None:
        """Let go of the lines to services that are gone, where there are many; calls under way keep theirs."""
        if len(self._known) < self._sweep_above:
            return
        gone = [name for name in self._known.copy() if self._registry.spelled(name) is None]
        with self._lock:
            for name in gone:
                self._known.pop(name, None)
            self._sweep_above = max(SWEEP_ABOVE, 2 * len(self._known))
