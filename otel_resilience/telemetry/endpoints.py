"""How many endpoints each service has, by state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from otel_resilience.discovery.endpoint_state import EndpointState
from otel_resilience.discovery.registry import ServiceRegistry
from otel_resilience.discovery.service_info import InstanceKey
from otel_resilience.inventory import Inventory
from otel_resilience.mesh.mesh import ServiceMesh
from otel_resilience.telemetry.names import OTHER

#: Services that are told apart: names may come from outside.
MAX_SERVICES = 250

#: From best to worst, for an instance that several registries know.
_BY_GRAVITY = tuple(EndpointState)


def count_endpoints(policies: Inventory) -> Iterable[tuple[tuple[str, str], int]]:
    """For each service that the live registries know, every state and how many instances are in it.

    One that a mesh has ejected is healthy to its registry.
    """
    states: dict[InstanceKey, EndpointState] = {}
    services: dict[str, None] = {}
    for live in policies.live(ServiceRegistry.policy_type).values():
        for registry in live:
            if isinstance(registry, ServiceRegistry):
                services |= dict.fromkeys(registry.services)
                for key, state in registry.states():
                    states[key] = max(state, states.get(key, state), key=_BY_GRAVITY.index)
    for key in _ejected(policies):
        if key in states:
            states[key] = max(EndpointState.EJECTED, states[key], key=_BY_GRAVITY.index)
    services |= dict.fromkeys(key.service for key in states)
    shown = {service: service if place < MAX_SERVICES else OTHER for place, service in enumerate(services)}
    counts = Counter((shown[key.service], state) for key, state in states.items())
    for service in dict.fromkeys(shown.values()):
        for state in EndpointState:
            yield (service, state.value), counts[service, state]


def _ejected(policies: Inventory) -> Iterable[InstanceKey]:
    for live in policies.live(ServiceMesh.policy_type).values():
        for mesh in live:
            if isinstance(mesh, ServiceMesh):
                yield from mesh.ejected()
