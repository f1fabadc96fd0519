"""Instances in the memory of this process."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable

from otel_resilience import clock
from otel_resilience.discovery.backends.backend import Instance, Lease
from otel_resilience.discovery.service_info import InstanceKey, ServiceInfo
from otel_resilience.forking import forget_after_fork


class MemoryBackend:
    """A store for one process, which several registries may share. Safe for threads; readers take no lock."""

    def __init__(self) -> None:
        # Guards the writers; no subscriber runs under it. Reentrant: a registry that nobody holds any more ends its subscription
        # wherever the garbage collector finds it, here too.
        self._lock = threading.RLock()
        self._services: dict[str, tuple[Instance, ...]] = {}
        self._subscribers: tuple[Callable[[str], None], ...] = ()
        forget_after_fork(self)

    def register(self, info: ServiceInfo) -> None:
        ttl = math.inf if info.ttl is None else info.ttl
        instance = Instance(info, Lease(clock.current().monotonic() + ttl))
        with self._lock:
            known = self._services.get(info.name, ())
            replaced = tuple(instance if each.info.key == info.key else each for each in known)
            self._services[info.name] = replaced if instance in replaced else (*known, instance)
        self._tell(info.name)

    def renew(self, key: InstanceKey) -> bool:
        with self._lock:
            now = clock.current().monotonic()
            for each in self._services.get(key.service, ()):
                if each.info.key == key and each.lease.expires_at > now:
                    if each.info.ttl is not None:
                        each.lease.expires_at = now + each.info.ttl
                    return True
        return False

    def deregister(self, key: InstanceKey) -> bool:
        with self._lock:
            gone = self._keep(key.service, lambda each: each.info.key != key)
        if gone:
            self._tell(key.service)
        return gone

    def instances(self, service: str) -> tuple[Instance, ...]:
        return self._services.get(service, ())

    def services(self) -> tuple[str, ...]:
        return tuple(self._services.copy())

    def expire(self) -> None:
        with self._lock:
            now = clock.current().monotonic()
            changed = [
                name
                for name in tuple(self._services)
                if self._keep(name, lambda each: each.lease.expires_at > now)
            ]
        for name in changed:
            self._tell(name)

    def subscribe(self, changed: Callable[[str], None]) -> Callable[[], None]:
        with self._lock:
            self._subscribers = (*self._subscribers, changed)

        def end() -> None:
            with self._lock:
                self._subscribers = tuple(each for each in self._subscribers if each is not changed)

        return end

    def forget(self) -> None:
        """In a forked child: another thread of the parent may have held the lock."""
        self._lock = threading.RLock()

    def _keep(self, service: str, stays: Callable[[Instance], bool]) -> bool:
        known = self._services.get(service, ())
        left = tuple(each for each in known if stays(each))
        if left:
            self._services[service] = left
        else:
            self._services.pop(service, None)
        return len(left) < len(known)

    def _tell(self, service: str) -> None:
        for changed in self._subscribers:
            changed(service)
