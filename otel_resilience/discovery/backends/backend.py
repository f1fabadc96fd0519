"""What a store of instances has to do for a registry. One contract suite holds for all of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

from otel_resilience.discovery.service_info import InstanceKey, ServiceInfo


class Lease:
    """Until when an instance is taken to be there: an instant of the monotonic clock, infinite without ``ttl``.

    It is moved by one assignment, so those who look take no lock.
    """

    __slots__ = ("expires_at",)

    def __init__(self, expires_at: float = math.inf) -> None:
        self.expires_at = expires_at


class Instance:
    """One registered instance. ``lease`` is infinite where the store itself says when an instance is gone."""

    __slots__ = ("info", "lease")

    def __init__(self, info: ServiceInfo, lease: Lease) -> None:
        self.info = info
        self.lease = lease


class Backend(Protocol):
    """Safe to use from any thread. What reads answers from memory; only what writes may go to the network.

    Subscribers are told which service changed, after the change can be read, in no particular order, and
    never under a lock of the store. Nobody is told of a renewal. A store that is inherited by a forked child
    works there (``forking.forget_after_fork``).
    """

    def register(self, info: ServiceInfo) -> None:
        """Keep ``info``, instead of what the same service, host and port registered before, with a whole lease."""
        ...

    def renew(self, key: InstanceKey) -> bool:
        """Give an instance a whole lease again; false where it is not, or no longer, there."""
        ...

    def deregister(self, key: InstanceKey) -> bool:
        """Forget an instance; false where it was not there."""
        ...

    def instances(self, service: str) -> tuple[Instance, ...]:
        """The instances of a service, in the order in which they first registered. Never waits."""
        ...

    def services(self) -> tuple[str, ...]:
        """The services that have instances. Never waits."""
        ...

    def expire(self) -> None:
        """Forget the instances whose lease has run out, where the store does not do so by itself."""
        ...

    def subscribe(self, changed: Callable[[str], None]) -> Callable[[], None]:
        """Call ``changed`` with the name of each service whose instances change; returns what ends it."""
        ...
