"""That an instance is registered, in the hands of who registered it."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self

from otel_resilience.discovery.service_info import InstanceKey, ServiceInfo


class Registrar(Protocol):
    """What a registration asks of the registry that gave it."""

    def renew(self, registration: Registration) -> bool: ...

    def leave(self, registration: Registration) -> bool: ...


class Membership:
    """What all registrations of one instance share. ``latest`` is who may end it."""

    __slots__ = ("latest", "over")

    def __init__(self) -> None:
        self.latest: Registration | None = None
        self.over = False


class Registration:
    """One registered instance; as a context manager it deregisters at the end. Safe for threads."""

    def __init__(self, registrar: Registrar, info: ServiceInfo, membership: Membership) -> None:
        self.info = info
        self.membership = membership
        self._registrar = registrar

    @property
    def key(self) -> InstanceKey:
        return self.info.key

    def heartbeat(self) -> bool:
        """Renew the lease for another ``ttl``; false once the instance was deregistered.

        An instance whose lease ran out meanwhile (a long pause, a machine asleep) is registered again.
        """
        return self._registrar.renew(self)

    def deregister(self) -> bool:
        """Take the instance away; false if it was not there. Later calls do nothing.

        Of several registrations of the same instance only the latest one does so: the end of an old one must
        not take the new one away.
        """
        return self._registrar.leave(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.deregister()

    def __repr__(self) -> str:
        return f"Registration({self.key.service!r}, {self.key.host!r}, {self.key.port})"
