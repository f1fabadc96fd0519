"""Where a call can go: one instance as those see it who call it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from otel_resilience.discovery.service_info import InstanceKey

if TYPE_CHECKING:
    from otel_resilience.discovery.service_info import ServiceInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One instance of ``service``.

    Equal to another if all that it says is equal; ``key`` says which instance it is.
    """

    host: str
    port: int
    service: str
    version: str | None = None
    tags: frozenset[str] = frozenset()
    metadata: Mapping[str, str] = field(default_factory=dict, hash=False)
    zone: str | None = None
    weight: int = 1

    @property
    def address(self) -> str:
        """``host:port``, an IPv6 address in brackets, as in URLs and gRPC targets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def key(self) -> InstanceKey:
        """Which instance it is: kept where it registers again with another weight or version."""
        return InstanceKey(self.service, self.host, self.port)

    @classmethod
    def of(cls, info: ServiceInfo) -> Endpoint:
        """The endpoint of the instance that ``info`` tells of."""
        return cls(
            host=info.host,
            port=info.port,
            service=info.name,
            version=info.version,
            tags=cast("frozenset[str]", info.tags),
            metadata=info.metadata,
            zone=info.zone,
            weight=info.weight,
        )
