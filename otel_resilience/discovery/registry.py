"""Services by name: instances come and go, and who looks one up never waits."""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Self

from otel_resilience import clock
from otel_resilience.discovery import refusal
from otel_resilience.discovery.backends.backend import Backend
from otel_resilience.discovery.backends.memory import MemoryBackend
from otel_resilience.discovery.balancing.balancer import Balancing, balancer_of
from otel_resilience.discovery.balancing.load import Load
from otel_resilience.discovery.catalogue import Catalogue
from otel_resilience.discovery.endpoint import Endpoint
from otel_resilience.discovery.endpoint_state import EndpointState
from otel_resilience.discovery.interface import Selector
from otel_resilience.discovery.registration import Membership, Registration
from otel_resilience.discovery.service_info import InstanceKey, ServiceInfo, normal_host, tags_of
from otel_resilience.discovery.using import Using
from otel_resilience.exceptions import ConfigurationError
from otel_resilience.forking import forget_after_fork
from otel_resilience.inventory import POLICIES

#: Registrations of instances that may be gone are looked through when there are more of them.
_SWEEP_ABOVE = 1024
_NO_TAGS: frozenset[str] = frozenset()


class ServiceRegistry:
    """Instances of services: registered, leased, checked, balanced and watched. Safe for threads and event loops.

    ``balancing``: ``round_robin``, ``weighted`` or ``least_request``. ``backend`` keeps the instances; by
    default this process's memory. A lookup reads what is known: it waits for no network, no check, no
    watcher. What runs behind is daemon threads, and ends with ``close`` within 1 s. In a forked child checks
    and watches go on from its first lookup.
    """

    policy_type = "service_registry"

    def __init__(self, balancing: Balancing = "round_robin", *, backend: Backend | None = None) -> None:
        balance = balancer_of(balancing)
        self._load = load = Load()
        self._select: Callable[[Sequence[Endpoint]], Selector] = lambda endpoints: balance(endpoints, load)
        self._backend: Backend = MemoryBackend() if backend is None else backend
        self._catalogue = Catalogue(self._backend, self._select)
        self._lock = threading.Lock()  # guards the three values below, and nothing else happens under it
        self._memberships: dict[InstanceKey, Membership] = {}
        self._sweep_above = _SWEEP_ABOVE
        self._closed = False
        forget_after_fork(self)
        POLICIES.expect_several(self.policy_type, "")
        POLICIES.add(self.policy_type, "", self)

    def register(self, info: ServiceInfo) -> Registration:
        """Make an instance known, or renew it with what ``info`` says now.

        Raises ``ConfigurationError`` for a gRPC check without grpcio, ``RuntimeError`` after ``close``.
        """
        if not isinstance(info, ServiceInfo):
            raise TypeError(f"register takes a ServiceInfo, got {type(info).__name__}")
        _require_library(info)
        if self._closed:
            raise RuntimeError("the registry is closed")
        self._backend.register(info)
        with self._lock:
            membership = self._memberships.setdefault(info.key, Membership())
            membership.latest = registration = Registration(self, info, membership)
            closed = self._closed
        if closed:  # by another thread meanwhile
            self.deregister(info)
            raise RuntimeError("the registry is closed")
        self._sweep()
        return registration

    def deregister(self, instance: ServiceInfo | Endpoint | tuple[str, str, int]) -> bool:
        """Take an instance away, whoever registered it; false if it was not there.

        It is told by its ``ServiceInfo``, its ``Endpoint``, or its name, host and port.
        """
        if isinstance(instance, ServiceInfo | Endpoint):
            key = instance.key
        else:
            service, host, port = instance
            key = InstanceKey(service, normal_host(host), port)
        with self._lock:
            membership = self._memberships.pop(key, None)
            if membership is not None:
                membership.over = True
        return self._backend.deregister(key)

    def renew(self, registration: Registration) -> bool:
        """See ``Registration.heartbeat``."""
        membership = registration.membership
        if membership.over or self._closed:
            return False
        if not self._backend.renew(registration.key):
            self._backend.register((membership.latest or registration).info)
            with self._lock:
                self._memberships.setdefault(registration.key, membership)
        if membership.over:  # deregistered by another thread meanwhile
            self.deregister(registration.key)
            return False
        return True

    def leave(self, registration: Registration) -> bool:
        """See ``Registration.deregister``."""
        membership = registration.membership
        with self._lock:
            if membership.over or membership.latest is not registration:
                return False
            membership.over = True
        return self.deregister(registration.key)

    @property
    def services(self) -> tuple[str, ...]:
        """The names that are known, those without any instance left included."""
        return self._catalogue.services

    def spelled(self, host: str) -> str | None:
        """The known service that is called ``host``, be it in another case, which is all that a URL's host says.

        Known is what was ever registered, without any instance left too; ``None`` for what was not.
        """
        return self._catalogue.spelled(host)

    def discover(self, name: str, version: str | None = None, tags: Iterable[str] = ()) -> Endpoint:
        """One healthy endpoint of that version with all these tags, chosen by the registry's balancing.

        Raises ``ServiceNotFoundError`` for a name that nobody registered, ``NoHealthyEndpointError`` where
        nothing fits.
        """
        view = self._catalogue.look_up(name)
        wanted = tags_of("discover", tags) if tags else _NO_TAGS
        endpoint = view.choose(version, wanted, clock.current().monotonic)
        if endpoint is None:
            raise refusal.no_healthy_endpoint(name, refusal.message(name, view, version, wanted))
        return endpoint

    def discover_all(self, name: str, version: str | None = None, tags: Iterable[str] = ()) -> list[Endpoint]:
        """All healthy endpoints that fit, in the order in which they registered. Raises ``ServiceNotFoundError``."""
        wanted = tags_of("discover_all", tags) if tags else _NO_TAGS
        return self._catalogue.look_up(name).all(version, wanted, clock.current().monotonic())

    def instances(self, name: str) -> list[Endpoint]:
        """All endpoints that are there, healthy or not. Raises ``ServiceNotFoundError``."""
        now = clock.current().monotonic()
        return [
            entry.endpoint for entry in self._catalogue.look_up(name).entries if entry.lease.expires_at > now
        ]

    def selector(self, endpoints: Sequence[Endpoint]) -> Selector:
        """The registry's balancing over ``endpoints`` of the caller's choice.

        Raises ``ValueError`` where there are none.
        """
        if not endpoints:
            raise ValueError("a selector needs at least one endpoint, got none")
        return self._select(endpoints)

    def using(self, endpoint: Endpoint) -> Using:
        """A context manager: a call to ``endpoint`` is under way. ``least_request`` and ``draining`` go by it."""
        return Using(self._load, endpoint)

    def watch(self, name: str, callback: Callable[[list[Endpoint]], None]) -> Callable[[], None]:
        """Call ``callback`` with the healthy endpoints of ``name``: now, and whenever they have changed.

        It runs on a thread of its own; a slow one is told the newest list when it is ready. The service need
        not be known yet. Returns a function that ends it; a call that has begun is not interrupted.
        """
        if not callable(callback):
            raise TypeError(f"watch takes a function of a list of endpoints, got {type(callback).__name__}")
        return self._catalogue.watch(name, callback)

    def states(self) -> Iterator[tuple[InstanceKey, EndpointState]]:
        """Every instance and its state, for those who show it. Reads only."""
        now = clock.current().monotonic()
        known: set[InstanceKey] = set()
        for view in self._catalogue.views:
            for entry in view.entries:
                if entry.lease.expires_at > now:
                    known.add(entry.endpoint.key)
                    state = EndpointState.HEALTHY if entry.healthy else EndpointState.UNHEALTHY
                    yield entry.endpoint.key, state
        for key in self._load.busy():
            if key not in known:
                yield key, EndpointState.DRAINING

    def expire_leases(self) -> None:
        """Forget the instances whose lease has run out.

        Done behind in time: only a clock that is moved by hand needs it.
        """
        self._catalogue.expire_leases()

    def close(self) -> None:
        """Deregister what was registered here; end all checks, leases and watches, within 1 s.

        May be called again.
        """
        with self._lock:
            self._closed = True
            own = tuple(self._memberships)
        for key in own:
            self.deregister(key)
        self._catalogue.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.close()

    def _sweep(self) -> None:
        """Forget who registered what is gone: an instance whose lease runs out tells nobody."""
        if len(self._memberships) <= self._sweep_above:
            return
        present = {
            each.info.key for name in self._backend.services() for each in self._backend.instances(name)
        }
        with self._lock:
            self._memberships = {
                key: membership for key, membership in self._memberships.items() if key in present
            }
            self._sweep_above = max(_SWEEP_ABOVE, 2 * len(self._memberships))

    def forget(self) -> None:
        """In a forked child: another thread of the parent may have held the lock."""
        self._lock = threading.Lock()


def _require_library(info: ServiceInfo) -> None:
    check = info.health_check
    if check is not None and check.grpc is not None and importlib.util.find_spec("grpc") is None:
        raise ConfigurationError(
            f"HealthCheck grpc must have grpcio installed (the extra otel-resilience[grpc]), got {check.grpc!r}"
        )
