"""The less busy of two endpoints drawn by chance.

Always the least busy of all would send everybody to the same one at once, and to the one that fails fastest;
of two draws the longest queue is nearly as short (Mitzenmacher, "The Power of Two Choices in Randomized Load
Balancing").
"""

from __future__ import annotations

from collections.abc import Sequence

from otel_resilience import chance
from otel_resilience.discovery.balancing.load import Load
from otel_resilience.discovery.endpoint import Endpoint
from otel_resilience.discovery.interface import Selector


def least_request(endpoints: Sequence[Endpoint], load: Load) -> Selector:
    """Two different ones are drawn; the one with fewer calls under way for its weight is chosen, of equals the first drawn."""
    count = len(endpoints)
    if count == 1:
        return lambda: endpoints[0]

    def choose() -> Endpoint:
        first = int(chance.draw() * count)
        second = int(chance.draw() * (count - 1))
        one, other = endpoints[first], endpoints[second + (second >= first)]
        # As if the call were there already: an idle endpoint of weight 2 goes before an idle one of weight 1.
        busier = (load.of(one.key) + 1) * other.weight > (load.of(other.key) + 1) * one.weight
        return other if busier else one

    return choose
