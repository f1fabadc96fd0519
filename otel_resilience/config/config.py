"""A policy file in use: pipelines by name, and by the calls that a process makes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from otel_resilience.config.catch_all import CatchAll
from otel_resilience.config.faults import did_you_mean
from otel_resilience.config.index import ServiceIndex
from otel_resilience.config.patterns import HostPort, Kind, grpc_target, normal_host
from otel_resilience.config.specs import CATCH_ALL, FileSpec, ServiceSpec
from otel_resilience.config.target import ServiceTargets, Target
from otel_resilience.discovery.balancing.balancer import Balancing
from otel_resilience.discovery.registry import ServiceRegistry
from otel_resilience.discovery.service_info import ServiceInfo
from otel_resilience.exceptions import ConfigurationError
from otel_resilience.mesh.mesh import ServiceMesh
from otel_resilience.mesh.policies import Stated
from otel_resilience.outcome import Mode
from otel_resilience.pipeline import Pipeline

#: Looked-up addresses and targets that are remembered before all are forgotten: hosts may come from users.
_REMEMBERED = 1024


class Config:
    """The policies of one file. Nothing in it changes; safe for threads.

    ``mode`` goes before every mode in the file. All pipelines are made at once, except those of the
    catch-all, made at the first call of a host.
    """

    def __init__(self, spec: FileSpec, *, mode: Mode | None = None) -> None:
        self._spec = spec
        self._forced = mode
        self._index = ServiceIndex(spec.services.values())
        self._targets = {name: self._make(each) for name, each in spec.services.items() if name != CATCH_ALL}
        catch_all = spec.services.get(CATCH_ALL)
        self._catch_all = None if catch_all is None else CatchAll(catch_all, self.mode_of(CATCH_ALL))
        self._hosts: dict[tuple[str, int | None], tuple[str | None, HostPort]] = {}
        self._grpc_targets: dict[str, HostPort | None] = {}

    @property
    def path(self) -> str:
        """The file."""
        return self._spec.path

    @property
    def service(self) -> str | None:
        """This process's own name, for where the telemetry provider has none."""
        return self._spec.service

    @property
    def mode(self) -> Mode:
        """The mode of all services that have none of their own."""
        return self._forced or self._spec.mode

    @property
    def propagation(self) -> str:
        """``internal``, ``edge``, ``off`` or ``all``."""
        return self._spec.propagation

    @property
    def root_services(self) -> frozenset[str] | None:
        """The services that ``resilience.errors`` names as roots, others being ``_OTHER``; ``None`` for all."""
        return self._spec.root_services

    @property
    def root_codes(self) -> frozenset[str] | None:
        """The codes that ``resilience.errors`` names as roots, others being ``_OTHER``; ``None`` for all."""
        return self._spec.root_codes

    @property
    def services(self) -> tuple[str, ...]:
        """The names of all entries, as in the file."""
        return tuple(self._spec.services)

    @property
    def guarded_services(self) -> tuple[str, ...]:
        """The names of those that guard anything: a policy is left after merging, and the mode is not ``off``."""
        return tuple(
            name
            for name, each in self._spec.services.items()
            if each.guarded and self.mode_of(name) is not Mode.OFF
        )

    @property
    def named_hosts(self) -> frozenset[str]:
        """Hosts written in full in a ``match`` or ``endpoints``. A pattern is none, nor is the name of an entry."""
        hosts = {endpoint.host for each in self._spec.services.values() for endpoint in each.endpoints}
        for each in self._spec.services.values():
            if each.match_written:
                hosts |= {pattern.name for pattern in each.match if pattern.kind in (Kind.ADDRESS, Kind.HOST)}
        return frozenset(hosts)

    @property
    def entries(self) -> Mapping[str, ServiceSpec]:
        """What the file says of each service, after merging."""
        return self._spec.services

    def registry(self, balancing: Balancing = "round_robin") -> ServiceRegistry:
        """A new registry that knows the ``endpoints`` of every entry that has some. Who asked for it closes it."""
        registry = ServiceRegistry(balancing)
        for name, each in self._spec.services.items():
            for endpoint in each.endpoints:
                if endpoint.port is not None:  # the schema lets none in without
                    registry.register(ServiceInfo(name=name, host=endpoint.host, port=endpoint.port))
        return registry

    def mesh(self, balancing: Balancing = "round_robin", *, zone: str | None = None) -> ServiceMesh:
        """A new mesh over ``registry(balancing)``, with the policies of this file.

        Closing it closes that registry.
        """
        return ServiceMesh(self.registry(balancing), zone=zone, policies=self, owns_registry=True)

    def mode_of(self, service: str) -> Mode:
        """The mode of one service."""
        return self._forced or self._spec.services[service].mode or self._spec.mode

    def pipeline(self, service: str, operation: str | None = None) -> Pipeline:
        """The pipeline of a service, or of one of its operations: the same object at each call.

        An operation that the file does not know has the service's. ``"*"`` is what hosts share that have none
        of their own. Raises ``ConfigurationError`` for a service that the file does not have.
        """
        if service == CATCH_ALL and self._catch_all is not None:
            return self._catch_all.shared().pipeline(operation)
        targets = self._targets.get(service)
        if targets is None:
            raise ConfigurationError(
                f"{self.path} has no service {service!r}: {did_you_mean(service, self._spec.services)}"
            )
        return targets.pipeline(operation)

    def find_http(
        self, host: str, port: int | None, method: str, path: str, has_idempotency_key: bool = False
    ) -> Target | None:
        """What guards a request; ``None`` where nothing does: no match, no policy, or the mode ``off``."""
        targets = self._by_host(host, port)
        return None if targets is None else targets.of_http(method, path, has_idempotency_key)

    def find_grpc(self, full_method: str, target: str) -> Target | None:
        """What guards a call of ``/package.Service/Method`` on a channel to ``target``; ``None`` where nothing does."""
        service, _, method = full_method.removeprefix("/").rpartition("/")
        name = self._index.by_grpc_service(service)
        targets = self._targets[name] if name is not None else self._by_grpc_target(target)
        return None if targets is None else targets.of_grpc(service, method)

    def stated_for(self, service: str, operation: str) -> Stated | None:
        """What the file says of a mesh's calls of ``operation``; ``None`` for a service without entry or catch-all."""
        targets = self._targets.get(service)
        if targets is None and self._catch_all is not None:
            targets = self._catch_all.of(HostPort(service))
        return None if targets is None else targets.stated_for(operation)

    def _by_grpc_target(self, target: str) -> ServiceTargets | None:
        known = self._grpc_targets.get(target)
        if known is None and target not in self._grpc_targets:
            _make_room(self._grpc_targets)
            known = self._grpc_targets[target] = grpc_target(target)
        if known is None:
            return None if self._catch_all is None else self._catch_all.of(HostPort(target))
        return self._by_host(known.host, known.port)

    def _by_host(self, host: str, port: int | None) -> ServiceTargets | None:
        known = self._hosts.get((host, port))
        if known is None:
            _make_room(self._hosts)
            normal = normal_host(host)
            known = (self._index.by_host(normal, port), HostPort(normal, port))
            self._hosts[host, port] = known
        name, address = known
        if name is not None:
            return self._targets[name]
        return None if self._catch_all is None else self._catch_all.of(address)

    def _make(self, spec: ServiceSpec) -> ServiceTargets:
        return ServiceTargets(spec, self.mode_of(spec.name))

    def __repr__(self) -> str:
        return f"Config({self.path!r}, mode={self.mode!s}, services={list(self.services)!r})"


def _make_room(remembered: dict[Any, Any]) -> None:
    if len(remembered) >= _REMEMBERED:
        remembered.clear()
