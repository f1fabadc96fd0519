"""The mesh's part of a pipeline: the journey of one call, and an endpoint for each of its attempts."""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager
from contextvars import ContextVar, Token
from dataclasses import dataclass
from typing import TypeVar

from otel_resilience.context import endpoint as in_hand
from otel_resilience.discovery import refusal
from otel_resilience.discovery.endpoint import Endpoint
from otel_resilience.discovery.interface import Registry
from otel_resilience.discovery.service_info import InstanceKey
from otel_resilience.exceptions import NoHealthyEndpointError, ServiceNotFoundError
from otel_resilience.flow.call import Call
from otel_resilience.flow.effects import Flow, Proceed
from otel_resilience.flow.gate import Admitted, Ending, guarded
from otel_resilience.flow.guard import Guard
from otel_resilience.mesh.routes import Choice, Routes
from otel_resilience.outcome import Failure, Verdict
from otel_resilience.policies.circuit_breaker.options import CircuitBreakerOptions
from otel_resilience.policies.circuit_breaker.verdict import verdict_of

_log = logging.getLogger("otel_resilience")

T = TypeVar("T")

_tried: ContextVar[set[InstanceKey] | None] = ContextVar("otel_resilience.tried", default=None)


class Journey(Guard):
    """Around the policies of a routed call: what is inside knows where the call has been, and goes elsewhere."""

    policy_type = "mesh"

    def flow(self, call: Call, proceed: Proceed) -> Flow:
        token = _tried.set(set())
        try:
            return (yield from proceed())
        finally:
            _reset(_tried, token)

    def __repr__(self) -> str:
        return "Journey()"


class Routing(Guard):
    """Inside of the policies of a routed call: gives each attempt an endpoint, and judges the endpoint by what comes of it.

    ``options``: what counts as a failure, by the words of the service's breaker.
    """

    policy_type = "mesh"

    def __init__(self, routes: Routes, registry: Registry, options: CircuitBreakerOptions) -> None:
        self._routes = routes
        self._registry = registry
        self._options = options

    def flow(self, call: Call, proceed: Proceed) -> Flow:
        tried = _tried.get()
        try:
            choice = self._routes.choose(tried or (), enforced=call.enforced)
        except ServiceNotFoundError as error:
            return Failure(error)
        if choice is None:
            call.rejection_reason = refusal.REASON
            return Failure(nobody(self._routes.service))
        if tried is not None:
            # At once: a hedge goes elsewhere while the first attempt is still under way.
            tried.add(choice.endpoint.key)
        call.patience = min(call.patience, self._options.patience)
        with self._registry.using(choice.endpoint):
            return (yield from guarded(_Visit(self._routes, choice, self._options), call, proceed))

    def __repr__(self) -> str:
        return f"Routing({self._routes.service!r})"


@dataclass(slots=True)
class _Visit:
    """One attempt at one endpoint, as a gate that lets it pass and learns from its end."""

    routes: Routes
    choice: Choice
    options: CircuitBreakerOptions
    policy_type: str = "mesh"

    def admit(self, call: Call) -> Admitted[Token[Endpoint | None]]:
        return Admitted(in_hand.enter(self.choice.endpoint))

    def settle(self, call: Call, permit: Token[Endpoint | None], ending: Ending) -> None:
        in_hand.leave(permit)
        try:
            verdict = verdict_of(self.options, call, ending)
        except Exception:
            # A user's predicate; a call that cannot be judged says nothing of the endpoint.
            _log.exception("a predicate raised on a call to %s", self.routes.service)
            verdict = Verdict.IGNORED
        self.routes.settle(self.choice, verdict, enforced=call.enforced)


class Unguarded:
    """``with Unguarded(...) as endpoint``: an endpoint where no policy is in force (mode ``off``); nothing is learned of it."""

    def __init__(self, routes: Routes, registry: Registry) -> None:
        choice = routes.choose((), enforced=False)
        if choice is None:
            raise nobody(routes.service)
        self._endpoint = choice.endpoint
        self._using: AbstractContextManager[Endpoint] = registry.using(self._endpoint)
        self._token: Token[Endpoint | None] | None = None

    def __enter__(self) -> Endpoint:
        self._token = in_hand.enter(self._endpoint)
        return self._using.__enter__()

    def __exit__(self, *ending: object) -> None:
        self._using.__exit__(None, None, None)
        if self._token is not None:
            in_hand.leave(self._token)


def nobody(service: str) -> NoHealthyEndpointError:
    """Announce that nobody can be called, and answer with the error to raise."""
    return refusal.no_healthy_endpoint(service, f"{service} has no healthy endpoint")


def _reset(variable: ContextVar[T], token: Token[T]) -> None:
    try:
        variable.reset(token)
    except ValueError:
        pass  # a call that was abandoned, and ended by the garbage collector: its context is gone
