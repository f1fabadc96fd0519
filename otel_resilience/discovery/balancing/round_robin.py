"""Each endpoint in its turn."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle

from otel_resilience import chance
from otel_resilience.discovery.balancing.load import Load
from otel_resilience.discovery.endpoint import Endpoint
from otel_resilience.discovery.interface import Selector


def round_robin(endpoints: Sequence[Endpoint], load: Load) -> Selector:
    """Begins anywhere: many processes that all began with the first one would all call it at once."""
    start = int(chance.draw() * len(endpoints))
    # One step of a cycle is one step of the interpreter: exact under threads without a lock.
    return cycle([*endpoints[start:], *endpoints[:start]]).__next__
