"""Which zone a call goes to: the caller's own while that is well, and as much of the rest as it lacks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from otel_resilience.discovery.endpoint import Endpoint

#: How much more than its usual share an endpoint can bear. With a fifth of a zone gone the others carry on; below that what they
#: cannot bear goes elsewhere. Envoy's figure for the same question (its overprovisioning factor).
HEADROOM = 1.4


def own_share(available: Iterable[Endpoint], known: Iterable[Endpoint], zone: str) -> float:
    """Which part of the calls the caller's ``zone`` takes, 0 to 1: all while most of its weight is available."""
    there = sum(endpoint.weight for endpoint in known if endpoint.zone == zone)
    left = sum(endpoint.weight for endpoint in available if endpoint.zone == zone)
    return min(1.0, HEADROOM * left / there) if there else 0.0


def in_preferred_zone(
    available: Sequence[Endpoint], known: Iterable[Endpoint], zone: str | None, draw: float
) -> Sequence[Endpoint]:
    """Those of ``available`` among which one call chooses.

    ``known``: all instances, sick ones too; ``draw`` in ``[0, 1)``.
    """
    if zone is None:
        return available
    own = [endpoint for endpoint in available if endpoint.zone == zone]
    if not own or len(own) == len(available):
        return available
    if draw < own_share(own, known, zone):
        return own
    return [endpoint for endpoint in available if endpoint.zone != zone]
