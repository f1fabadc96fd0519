"""The ways to choose among several endpoints, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from otel_resilience.discovery.balancing.least_request import least_request
from otel_resilience.discovery.balancing.load import Load
from otel_resilience.discovery.balancing.round_robin import round_robin
from otel_resilience.discovery.balancing.weighted import weighted
from otel_resilience.discovery.endpoint import Endpoint
from otel_resilience.discovery.interface import Selector
from otel_resilience.exceptions import ConfigurationError

Balancing = Literal["round_robin", "weighted", "least_request"]
Balancer = Callable[[Sequence[Endpoint], Load], Selector]

BALANCERS: Mapping[str, Balancer] = {
    "round_robin": round_robin,
    "weighted": weighted,
    "least_request": least_request,
}


def balancer_of(balancing: str) -> Balancer:
    """The balancer of that name. Raises ``ConfigurationError`` for any other."""
    found = BALANCERS.get(balancing) if isinstance(balancing, str) else None
    if found is None:
        raise ConfigurationError(
            f"ServiceRegistry balancing must be one of {', '.join(BALANCERS)}, got {balancing!r}"
        )
    return found
