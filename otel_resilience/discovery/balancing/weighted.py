"""Each endpoint by its weight, evenly spread: of weights 3 and 1, every fourth call goes to the second."""

from __future__ import annotations

import math
from bisect import bisect
from collections.abc import Sequence
from itertools import accumulate

from otel_resilience import chance
from otel_resilience.discovery.balancing.load import Load
from otel_resilience.discovery.balancing.round_robin import round_robin
from otel_resilience.discovery.endpoint import Endpoint
from otel_resilience.discovery.interface import Selector

#: The longest round that is laid out beforehand; beyond it, chance keeps to the weights on average.
_LONGEST_ROUND = 1024


def weighted(endpoints: Sequence[Endpoint], load: Load) -> Selector:
    """A round in which each endpoint comes up as often as its weight says."""
    weights = [endpoint.weight for endpoint in endpoints]
    shared = math.gcd(*weights)
    shares = [weight // shared for weight in weights]
    # Laying a round out takes its length times the endpoints, at each change of a service.
    if sum(shares) * len(shares) > _LONGEST_ROUND * 16 or sum(shares) > _LONGEST_ROUND:
        return _by_chance(endpoints, weights)
    return round_robin(_spread(endpoints, shares), load)


def _spread(endpoints: Sequence[Endpoint], shares: Sequence[int]) -> list[Endpoint]:
    # nginx's smooth weighted round robin: the one that is furthest behind its share goes next.
    total = sum(shares)
    behind = [0] * len(shares)
    order: list[Endpoint] = []
    for _ in range(total):
        behind = [debt + share for debt, share in zip(behind, shares, strict=True)]
        furthest = max(range(len(behind)), key=behind.__getitem__)
        behind[furthest] -= total
        order.append(endpoints[furthest])
    return order


def _by_chance(endpoints: Sequence[Endpoint], weights: Sequence[int]) -> Selector:
    bounds = list(accumulate(weights))
    return lambda: endpoints[bisect(bounds, chance.draw() * bounds[-1])]
