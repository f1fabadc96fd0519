"""Everything that a mesh knows of one service: the way to it, and a pipeline for each kind of call."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from otel_resilience.discovery.interface import Registry
from otel_resilience.flow.call import NOT_IDEMPOTENT
from otel_resilience.flow.guard import Guard
from otel_resilience.forking import forget_after_fork
from otel_resilience.mesh.policies import MeshPolicies, Plan
from otel_resilience.mesh.routes import Routes
from otel_resilience.mesh.routing import Journey, Routing, Unguarded
from otel_resilience.pipeline import Pipeline
from otel_resilience.policies.circuit_breaker.options import CircuitBreakerOptions
from otel_resilience.policies.circuit_breaker.policy import CircuitBreaker


@dataclass(frozen=True, slots=True)
class Routed:
    """A pipeline whose attempts have an endpoint, ``context.endpoint``.

    ``not_replayable``: why a call must not be sent twice.
    """

    pipeline: Pipeline
    not_replayable: str | None


class Line:
    """The line to ``service``. Safe for threads."""

    def __init__(self, registry: Registry, service: str, zone: str | None, policies: MeshPolicies) -> None:
        self.service = service
        self.routes = Routes(registry, service, zone)
        self._registry = registry
        self._policies = policies
        self._pipelines: dict[tuple[str | None, str | None], tuple[tuple[Guard, ...], Pipeline]] = {}
        self.forget()
        forget_after_fork(self)

    def forget(self) -> None:
        """Have a lock that nobody holds."""
        self._lock = threading.Lock()  # guards the making of pipelines

    def routed(self, operation: str, *, idempotent: bool = False, opted_in: bool = False) -> Routed:
        """What guards and routes a call of ``operation``.

        Where nobody said whether this very operation may be sent twice it is ``idempotent`` by its nature, or
        whoever set a retry in code has said so (``opted_in``: the caller is that code).
        """
        plan = self._policies.plan(self.service, operation)
        may_repeat = plan.repeatable
        if may_repeat is None:
            may_repeat = idempotent or (opted_in and plan.retries_by_code)
        return Routed(self._pipeline(plan), None if may_repeat else NOT_IDEMPOTENT)

    def unguarded(self) -> Unguarded:
        """An endpoint for a call that no policy guards. Raises ``NoHealthyEndpointError``."""
        return Unguarded(self.routes, self._registry)

    def _pipeline(self, plan: Plan) -> Pipeline:
        known = self._pipelines.get(plan.key)
        if known is None or known[0] != plan.policies or known[1].mode is not plan.mode:
            with self._lock:
                made = (plan.policies, self._make(plan))
                self._pipelines[plan.key] = known = made
        return known[1]

    def _make(self, plan: Plan) -> Pipeline:
        breakers = (policy for policy in plan.policies if isinstance(policy, CircuitBreaker))
        options = next((breaker.options for breaker in breakers), CircuitBreakerOptions())
        routing = Routing(self.routes, self._registry, options)
        return Pipeline(self.service, Journey(), *plan.policies, routing, trace=True, mode=plan.mode)
