"""Calls by a service's name: guarded by the service's policies, each attempt at an endpoint of its own."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Awaitable, Callable, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, overload

from otel_resilience.context import endpoint as in_hand
from otel_resilience.context import path
from otel_resilience.context.path import Step
from otel_resilience.discovery.endpoint import Endpoint
from otel_resilience.discovery.interface import Registry
from otel_resilience.discovery.registry import ServiceRegistry
from otel_resilience.discovery.service_info import InstanceKey
from otel_resilience.errors.dialects.http import is_idempotent
from otel_resilience.exceptions import ConfigurationError
from otel_resilience.flow.decorate import Kind, kind_of
from otel_resilience.flow.guard import Guard, qualified_name
from otel_resilience.forking import forget_after_fork
from otel_resilience.inventory import POLICIES
from otel_resilience.mesh import installed
from otel_resilience.mesh.line import Line
from otel_resilience.mesh.lines import Lines
from otel_resilience.mesh.policies import MeshPolicies, PolicyFile
from otel_resilience.policies.bulkhead.policy import Bulkhead
from otel_resilience.policies.circuit_breaker.policy import CircuitBreaker
from otel_resilience.policies.retry.policy import Retry
from otel_resilience.policies.timeout.policy import Timeout

if TYPE_CHECKING:
    import grpc
    import requests

_GENERATORS = (Kind.GENERATOR, Kind.ASYNC_GENERATOR)

T = TypeVar("T")
P = TypeVar("P", bound=Guard)


class ServiceMesh:
    """Routes calls to the healthy endpoints of ``registry``, without one of a registry of its own (``mesh.registry``).

    Safe for threads and tasks.

    A retry goes to another endpoint while there is one. An endpoint is left out after 5 failures in a row for
    30 s times its ejections, never more than half of them. ``zone``: endpoints there are preferred, as far as
    that zone is well. ``policies``: a policy file (``load_config``); what is set here goes before it.
    ``owns_registry``: ``close`` closes it too.
    """

    policy_type = "service_mesh"

    def __init__(
        self,
        registry: Registry | None = None,
        *,
        zone: str | None = None,
        policies: PolicyFile | None = None,
        owns_registry: bool = False,
    ) -> None:
        if zone is not None and (not isinstance(zone, str) or not zone):
            raise ConfigurationError(f"ServiceMesh zone must be a text that is not empty, got {zone!r}")
        self.registry: Registry = ServiceRegistry() if registry is None else registry
        self._owns_registry = registry is None or owns_registry
        self._zone = zone
        self._policies = MeshPolicies(policies)
        self._lines = Lines(self.registry, zone, self._policies)
        self._clients: weakref.WeakSet[requests.Session | grpc.Channel] = weakref.WeakSet()
        self._closed = False
        self.forget()
        forget_after_fork(self)
        POLICIES.expect_several(self.policy_type, "")
        POLICIES.add(self.policy_type, "", self)

    def forget(self) -> None:
        """In a forked child: have a lock that nobody holds."""
        # Guards what is to be closed; nothing else happens under it.
        self._lock = threading.Lock()

    def set_retry_policy(self, service: str, policy: Retry | None, *, operation: str | None = None) -> None:
        """Retry calls of ``service``, or of one ``operation``; ``None``: not at all, whatever the file says.

        To set a retry is to say that these calls may be sent twice.
        """
        self._set(service, operation, "retry", policy, Retry)

    def set_timeout_policy(
        self, service: str, policy: Timeout | None, *, operation: str | None = None
    ) -> None:
        """Bound each call in all, its retries included."""
        self._set(service, operation, "timeout", policy, Timeout)

    def set_circuit_breaker_policy(
        self, service: str, policy: CircuitBreaker | None, *, operation: str | None = None
    ) -> None:
        """One circuit for all endpoints together. What it takes for a failure is what ejects endpoints."""
        self._set(service, operation, "circuit_breaker", policy, CircuitBreaker)

    def set_bulkhead_policy(
        self, service: str, policy: Bulkhead | None, *, operation: str | None = None
    ) -> None:
        """Bound how many calls are under way at a time."""
        self._set(service, operation, "bulkhead", policy, Bulkhead)

    def call(self, service: str, operation: str, fn: Callable[[Endpoint], T]) -> T:
        """Call ``fn`` with an endpoint of ``service``, in this thread; once for each attempt.

        Raises what ``fn`` raises, as the same object, ``ServiceNotFoundError``, ``NoHealthyEndpointError``,
        or what a policy raises; ``TypeError`` for a coroutine function.
        """
        if kind_of(fn) is not Kind.PLAIN:
            raise TypeError(f"call() is for plain functions, {qualified_name(fn)} is none{_instead(fn)}")
        line = self.line(service)
        routed = line.routed(operation, idempotent=is_idempotent(operation), opted_in=True)
        if not routed.pipeline.enabled:
            with line.unguarded() as endpoint:
                return fn(endpoint)
        return routed.pipeline.execute(
            lambda: fn(_endpoint(service)), peer=service, not_replayable=routed.not_replayable
        )

    @overload
    async def acall(self, service: str, operation: str, fn: Callable[[Endpoint], Awaitable[T]]) -> T: ...
    @overload
    async def acall(self, service: str, operation: str, fn: Callable[[Endpoint], T]) -> T: ...
    async def acall(self, service: str, operation: str, fn: Callable[[Endpoint], Any]) -> Any:
        """``call`` in this task; what ``fn`` returns is awaited if it can be.

        Raises as ``call`` does; ``TypeError`` for a generator, which would run when its endpoint is no longer held.
        """
        if kind_of(fn) in _GENERATORS:
            raise TypeError(
                f"acall() is for functions and coroutines, {qualified_name(fn)} is a generator{_instead(fn)}"
            )
        line = self.line(service)
        routed = line.routed(operation, idempotent=is_idempotent(operation), opted_in=True)
        if not routed.pipeline.enabled:
            with line.unguarded() as endpoint:
                return await routed.pipeline.aexecute(lambda: fn(endpoint))
        return await routed.pipeline.aexecute(
            lambda: fn(_endpoint(service)), peer=service, not_replayable=routed.not_replayable
        )

    def route_request(self, source: str, target: str, operation: str, fn: Callable[[Endpoint], T]) -> T:
        """``call`` for ``source``: inside, the request's path (``CorrelationManager.request_path``) has one step more.

        With a coroutine function it returns what is to be awaited.
        """
        step = Step(source, operation)
        if kind_of(fn) is Kind.COROUTINE:
            routed: Any = self._aroute(step, target, operation, fn)
            awaitable: T = routed
            return awaitable
        token = path.enter(step)
        try:
            return self.call(target, operation, fn)
        finally:
            path.leave(token)

    async def _aroute(self, step: Step, target: str, operation: str, fn: Callable[[Endpoint], Any]) -> Any:
        token = path.enter(step)
        try:
            return await self.acall(target, operation, fn)
        finally:
            path.leave(token)

    def session(self, service: str) -> requests.Session:
        """A new ``requests.Session`` for ``service``: ``session.get("/accounts/7")``. Needs requests.

        Closed with the mesh at the latest. Rejections are ``requests.ConnectionError`` too. Raises
        ``ServiceNotFoundError``, ``ConfigurationError`` for a name that no URL can have as its host.
        """
        from otel_resilience.mesh.session import MeshSession  # an optional library

        self.line(service)
        session = MeshSession(service, self.line)
        self._close_with_mesh(session)
        return session

    def channel(
        self,
        service: str,
        *,
        credentials: grpc.ChannelCredentials | None = None,
        options: Sequence[tuple[str, Any]] | None = None,
    ) -> grpc.Channel:
        """A new ``grpc.Channel`` to ``service``, secure with ``credentials``.

        Needs grpcio; closed with the mesh at the latest. Blocking calls with one request may be retried, if
        they are said to be idempotent; futures and streams are guarded from begin to end. Rejections are
        ``grpc.RpcError`` too. Raises ``ServiceNotFoundError``.
        """
        from otel_resilience.mesh.channel import MeshChannel  # an optional library

        self.line(service)
        channel = MeshChannel(service, self.line, credentials, options)
        self._close_with_mesh(channel)
        return channel

    def install(self) -> Self:
        """Let instrumented clients route by this mesh, until it is closed: ``requests.get("http://payments/charge")``.

        One is in force at a time, the last one. Without policies of a file it takes those of the plugin's.
        Returns the mesh.
        """
        installed.install(self)
        return self

    def find_line(self, name: str, policies: PolicyFile | None = None) -> Line | None:
        """``line``, where ``name`` is a service's in some case; ``policies`` are taken over where the mesh has none of a file."""
        service = None if self._closed else self.registry.spelled(name)
        if service is None:
            return None
        self._policies.adopt(policies)
        return self.line(service)

    def line(self, service: str) -> Line:
        """What is known of ``service``. Raises ``ServiceNotFoundError``, ``RuntimeError`` after ``close``."""
        if self._closed:
            raise RuntimeError("the mesh is closed")
        return self._lines.to(service)

    def ejected(self) -> Iterator[InstanceKey]:
        """The endpoints that are left out now. Reads only."""
        for line in self._lines:
            yield from line.routes.ejected()

    def close(self) -> None:
        """Close the sessions and channels that were made here, and the registry if it is the mesh's own.

        May be called again.
        """
        installed.uninstall(self)
        with self._lock:
            self._closed = True
            clients = list(self._clients)
            self._clients.clear()
        for client in clients:
            client.close()
        if self._owns_registry:
            self.registry.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.close()

    def _close_with_mesh(self, client: requests.Session | grpc.Channel) -> None:
        with self._lock:
            self._clients.add(client)

    def _set(self, service: str, operation: str | None, kind: str, policy: P | None, wanted: type[P]) -> None:
        if not isinstance(service, str) or not service:
            raise ConfigurationError(f"ServiceMesh service must be a text that is not empty, got {service!r}")
        if operation is not None and (not isinstance(operation, str) or not operation):
            raise ConfigurationError(
                f"ServiceMesh operation must be a text that is not empty, got {operation!r}"
            )
        if policy is not None and not isinstance(policy, wanted):
            raise ConfigurationError(
                f"ServiceMesh {kind} of {service!r} must be a {wanted.__name__}, got {policy!r}"
            )
        self._policies.set(service, operation, kind, policy)

    def __repr__(self) -> str:
        return f"ServiceMesh(zone={self._zone!r}, services={sorted(line.service for line in self._lines)!r})"


def _instead(fn: Callable[..., object]) -> str:
    return ": guard what reads it" if kind_of(fn) in _GENERATORS else ": use acall()"


def _endpoint(service: str) -> Endpoint:
    endpoint = in_hand.of(service)
    if endpoint is None:
        raise RuntimeError(f"a call to {service} was made outside of its route")
    return endpoint
