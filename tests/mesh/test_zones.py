"""The caller's zone first, and elsewhere what it lacks."""

from __future__ import annotations

import pytest

from otel_resilience import Endpoint
from otel_resilience.mesh.zones import in_preferred_zone, own_share


def endpoints(zone: str | None, count: int, weight: int = 1) -> list[Endpoint]:
    return [
        Endpoint(host=f"{zone}-{number}", port=80, service="payments", zone=zone, weight=weight)
        for number in range(count)
    ]


NEAR, FAR = endpoints("a", 10), endpoints("b", 10)


def test_a_zone_that_is_well_takes_all_calls() -> None:
    for draw in (0.0, 0.999):
        assert in_preferred_zone(NEAR + FAR, NEAR + FAR, "a", draw) == NEAR


@pytest.mark.parametrize(("left", "share"), [(10, 1.0), (8, 1.0), (5, 0.7), (1, 0.14), (0, 0.0)])
def test_a_sick_zone_takes_what_it_can_bear(left: int, share: float) -> None:
    available, known = NEAR[:left] + FAR, NEAR + FAR
    assert own_share(available, known, "a") == pytest.approx(share)
    if 0.0 < share < 1.0:
        assert in_preferred_zone(available, known, "a", share - 0.01) == NEAR[:left]
        assert in_preferred_zone(available, known, "a", share + 0.01) == FAR


def test_weights_count() -> None:
    near = [*endpoints("a", 1, weight=9), *endpoints("a", 1)]
    assert own_share([*near[:1], *FAR], [*near, *FAR], "a") == 1.0
    assert own_share([*near[1:], *FAR], [*near, *FAR], "a") == pytest.approx(0.14)


def test_without_a_zone_or_endpoints_in_it_all_are_alike() -> None:
    everybody = NEAR + FAR
    assert in_preferred_zone(everybody, everybody, None, 0.0) == everybody
    assert in_preferred_zone(everybody, everybody, "c", 0.0) == everybody
    assert in_preferred_zone(FAR, everybody, "a", 0.0) == FAR
    assert in_preferred_zone(NEAR[:1], everybody, "a", 0.99) == NEAR[:1], "nobody else is left"
