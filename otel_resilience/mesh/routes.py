"""The endpoints of one service as a mesh uses them: who is next, who is left out, and what calls to them came to."""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from otel_resilience import chance, clock
from otel_resilience.discovery.endpoint import Endpoint
from otel_resilience.discovery.interface import Registry, Selector
from otel_resilience.discovery.service_info import InstanceKey
from otel_resilience.events import EndpointEjected
from otel_resilience.exceptions import ServiceNotFoundError
from otel_resilience.forking import forget_after_fork
from otel_resilience.listener import LISTENERS
from otel_resilience.mesh.outlier import THRESHOLD, Ejection, Outliers
from otel_resilience.mesh.zones import in_preferred_zone
from otel_resilience.outcome import Verdict

_log = logging.getLogger("otel_resilience")

#: Sets of endpoints whose turns are remembered: each endpoint that is left out makes another one.
_REMEMBERED = 64


@dataclass(frozen=True, slots=True)
class Choice:
    """An endpoint for one attempt, and as of when (see ``Outliers.generation``)."""

    endpoint: Endpoint
    generation: int


class Routes:
    """The way to ``service``. Safe for threads; a forked child begins with nobody ejected."""

    def __init__(self, registry: Registry, service: str, zone: str | None) -> None:
        self.service = service
        self._registry = registry
        self._zone = zone
        self.forget()
        forget_after_fork(self)

    def forget(self) -> None:
        """Begin anew, with a lock that nobody holds."""
        self._lock = threading.Lock()  # guards what is below; nobody's code and no I/O runs under it
        self._outliers = Outliers()
        self._selectors: dict[tuple[Endpoint, ...], Selector] = {}
        self._enforced = True

    def instances(self) -> list[Endpoint]:
        """Who is there, healthy or not."""
        return self._registry.instances(self.service)

    def choose(self, avoided: Collection[InstanceKey], *, enforced: bool) -> Choice | None:
        """An endpoint for an attempt, one of ``avoided`` only where no other is left; ``None`` where none is healthy.

        ``enforced`` is false where ejections are only counted. Raises ``ServiceNotFoundError``.
        """
        healthy = self._registry.discover_all(self.service)
        if not healthy:
            return None
        available = self._available(healthy) if enforced else healthy
        near = self._near(available)
        candidates = _without(avoided, near) or _without(avoided, available) or near
        endpoint = self._selector(tuple(candidates))()
        with self._lock:
            return Choice(endpoint, self._outliers.generation(endpoint.key))

    def settle(self, choice: Choice, verdict: Verdict, *, enforced: bool) -> None:
        """Learn what an attempt came to, and eject its endpoint where it is time."""
        if verdict is Verdict.IGNORED:
            return  # one that the garbage collector ended, too: it may do so where this very lock is held
        key = choice.endpoint.key
        # Only a failure may eject, and only then it matters who else is there.
        present = {each.key for each in self._healthy()} if verdict is Verdict.FAILURE else ()
        now = clock.current().monotonic()
        with self._lock:
            self._enforced = enforced
            ejection = self._outliers.settle(key, choice.generation, verdict, present, now)
        if ejection is not None:
            self._announce(ejection, choice.endpoint, enforced)

    def ejected(self) -> frozenset[InstanceKey]:
        """Which endpoints are left out now. Reads only."""
        healthy = self._healthy()
        with self._lock:
            if not self._enforced:
                return frozenset()
        return frozenset(each.key for each in healthy) - {each.key for each in self._available(healthy)}

    def _healthy(self) -> Sequence[Endpoint]:
        try:
            return self._registry.discover_all(self.service)
        except ServiceNotFoundError:  # its last instance went, and so many others that it was forgotten
            return ()

    def _available(self, healthy: Sequence[Endpoint]) -> Sequence[Endpoint]:
        with self._lock:
            out = self._outliers.ejected([each.key for each in healthy], clock.current().monotonic())
        return [each for each in healthy if each.key not in out] if out else healthy

    def _near(self, available: Sequence[Endpoint]) -> Sequence[Endpoint]:
        if self._zone is None:
            return available
        known = self._registry.instances(self.service)
        return in_preferred_zone(available, known, self._zone, chance.draw())

    def _selector(self, endpoints: tuple[Endpoint, ...]) -> Selector:
        with self._lock:
            selector = self._selectors.get(endpoints)
        if selector is None:
            made = self._registry.selector(endpoints)
            with self._lock:
                if len(self._selectors) >= _REMEMBERED:
                    self._selectors.clear()
                selector = self._selectors.setdefault(endpoints, made)
        return selector

    def _announce(self, ejection: Ejection, endpoint: Endpoint, enforced: bool) -> None:
        _log.warning(
            "%s at %s %s for %g s after %d failures in a row",
            self.service,
            endpoint.address,
            "is ejected" if enforced else "would be ejected",
            ejection.seconds,
            THRESHOLD,
        )
        LISTENERS.announce(
            EndpointEjected(
                name=self.service, address=endpoint.address, seconds=ejection.seconds, enforced=enforced
            )
        )


def _without(avoided: Collection[InstanceKey], endpoints: Sequence[Endpoint]) -> Sequence[Endpoint]:
    return [each for each in endpoints if each.key not in avoided] if avoided else endpoints
