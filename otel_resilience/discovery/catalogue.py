"""The services as they are now: views that lookups read, made anew when an instance, a lease or its health changes."""

from __future__ import annotations

import logging
import math
import threading
import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Concatenate, ParamSpec

from otel_resilience import clock
from otel_resilience.discovery import refusal
from otel_resilience.discovery.backends.backend import Backend
from otel_resilience.discovery.crew import Crew
from otel_resilience.discovery.endpoint import Endpoint
from otel_resilience.discovery.interface import Selector
from otel_resilience.discovery.monitor import Checked, Monitor
from otel_resilience.discovery.view import Entry, ServiceView
from otel_resilience.discovery.watch import Watch
from otel_resilience.forking import forget_after_fork

if TYPE_CHECKING:
    from otel_resilience.discovery.background import Job

#: Names of services without any instance that are remembered as known: names may come from outside.
REMEMBERED = 1024
#: An end of a lease is never waited for in a busy loop.
_SHORTEST_WAIT = 0.001

_log = logging.getLogger("otel_resilience")


class Catalogue:
    """Safe for threads. ``look_up`` takes no lock, but for the first time in a forked child."""

    def __init__(self, backend: Backend, select: Callable[[Sequence[Endpoint]], Selector]) -> None:
        self._backend = backend
        self._select = select
        # Guards everything below but the views, which are replaced under it and read without.
        # No user's code and no I/O runs under it.
        self._lock = threading.RLock()
        self._views: dict[str, ServiceView] = {}
        self._without_instances: dict[str, None] = {}
        self._spellings: dict[str, str] = {}  # by their lower case, the names that have another one
        self._crew = crew = Crew()
        # What runs behind and what tells of changes hold no catalogue: one that is dropped without ``close`` ends too.
        self._monitor = Monitor(crew.submit, _weakly(self, Catalogue._hear))
        self._expiry: tuple[float, Job | None] = (math.inf, None)
        self._asleep: tuple[str, ...] | None = None  # the services known before a fork, until the child looks
        unsubscribe = backend.subscribe(_weakly(self, Catalogue._refresh))
        self._release = weakref.finalize(self, _release, crew, unsubscribe)
        for service in backend.services():
            self._refresh(service)
        forget_after_fork(self)

    @property
    def services(self) -> tuple[str, ...]:
        """The names that are known, those without any instance left included."""
        return tuple(self._views.copy())

    @property
    def views(self) -> tuple[ServiceView, ...]:
        """What is known of each service."""
        return tuple(self._views.copy().values())

    def knows(self, service: str) -> bool:
        """Whether ``look_up`` would find ``service``."""
        if service not in self._views:
            self._wake()
        return service in self._views

    def spelled(self, host: str) -> str | None:
        """The known service that is called ``host``, be it in another case; ``None`` where there is none."""
        return host if self.knows(host) else self._spellings.get(host.lower())

    def look_up(self, service: str) -> ServiceView:
        """What is known of ``service``. Raises ``ServiceNotFoundError``."""
        view = self._views.get(service)
        if view is None:
            self._wake()
            view = self._views.get(service)
            if view is None:
                raise refusal.not_found(service, self.services)
        return view

    def watch(self, service: str, callback: Callable[[list[Endpoint]], None]) -> Callable[[], None]:
        """Tell ``callback`` the healthy endpoints of ``service``, now and at each change; returns what ends it."""
        self._wake()
        watch = Watch(service, callback)
        with self._lock:
            watch.offer(self._endpoints(service))
            self._crew.add(watch)

        def end() -> None:
            with self._lock:
                self._crew.remove(watch)

        return end

    def expire_leases(self) -> None:
        """Forget the instances whose lease has run out, and wait behind for the next end of one."""
        self._backend.expire()
        with self._lock:
            self._expiry = (math.inf, None)
            now = clock.current().monotonic()
            for service, view in list(self._views.items()):
                if view.valid_until <= now:
                    self._refresh(service)  # renewed since the view was made
            self._expire_at(min((view.valid_until for view in self._views.values()), default=math.inf))

    def close(self) -> None:
        """End what runs behind."""
        with self._lock:
            self._release()
        self._crew.join()

    def forget(self) -> None:
        """In a forked child: sleep, until somebody looks."""
        self._lock = threading.RLock()
        self._crew.forget()
        self._monitor.forget()
        self._expiry = (math.inf, None)
        # Without views, the next lookup goes the slow way, and no lookup ever has to ask which process it is in.
        self._asleep = tuple(self._views) if self._asleep is None else self._asleep
        self._views = {}

    def _wake(self) -> None:
        if self._asleep is None:
            return
        with self._lock:
            asleep, self._asleep = self._asleep, None
            if asleep is not None:
                for service in dict.fromkeys((*asleep, *self._backend.services())):
                    self._refresh(service)
                self._crew.resume(self._endpoints)

    def _endpoints(self, service: str) -> list[Endpoint]:
        view = self._views.get(service)
        return [] if view is None else view.endpoints

    def _refresh(self, service: str) -> None:
        # Several changes at a time come one after the other, and the last one sees what all of them did.
        with self._lock:
            if self._asleep is not None:
                return
            instances = self._backend.instances(service)
            self._monitor.follow(service, [each.info for each in instances])
            healthy = self._monitor.is_healthy
            view = ServiceView(
                [
                    Entry(endpoint=Endpoint.of(each.info), lease=each.lease, healthy=healthy(each.info.key))
                    for each in instances
                ],
                self._select,
            )
            self._remember(service, view)
            self._expire_at(view.valid_until)
            self._crew.offer(service, view.endpoints)

    def _remember(self, service: str, view: ServiceView) -> None:
        self._without_instances.pop(service, None)
        self._views[service] = view
        if service.lower() != service:
            self._spellings[service.lower()] = service
        if not view.entries:
            self._without_instances[service] = None
            if len(self._without_instances) > REMEMBERED:
                oldest = next(iter(self._without_instances))
                del self._without_instances[oldest], self._views[oldest]
                if self._spellings.get(oldest.lower()) == oldest:
                    del self._spellings[oldest.lower()]

    def _hear(self, checked: Checked, wrong: str | None) -> None:
        with self._lock:
            changed = self._monitor.learn(checked, wrong)
            if changed:
                self._refresh(checked.key.service)
        if changed and wrong is None:
            _log.info("%s at %s:%d is healthy again", *checked.key)
        elif changed:
            _log.warning("%s at %s:%d is unhealthy: %s", *checked.key, wrong)

    def _expire_at(self, instant: float) -> None:
        due, job = self._expiry
        if instant >= due:
            return
        if job is not None:
            job.end()
        seconds = max(_SHORTEST_WAIT, instant - clock.current().monotonic())
        self._expiry = (instant, self._crew.call_after(seconds, _weakly(self, Catalogue.expire_leases)))


P = ParamSpec("P")


def _weakly(catalogue: Catalogue, method: Callable[Concatenate[Catalogue, P], None]) -> Callable[P, None]:
    reference = weakref.ref(catalogue)

    def call(*args: P.args, **kwargs: P.kwargs) -> None:
        living = reference()
        if living is not None:
            method(living, *args, **kwargs)

    return call


def _release(crew: Crew, unsubscribe: Callable[[], None]) -> None:
    unsubscribe()
    crew.close_soon()
