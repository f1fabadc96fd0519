"""What an instance of a service says of itself when it registers."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

from otel_resilience.discovery.health_check import HealthCheck
from otel_resilience.exceptions import ConfigurationError
from otel_resilience.policies import checks

_THING = "ServiceInfo"
MAX_WEIGHT = 1000


class InstanceKey(NamedTuple):
    """Which instance it is: one that registers with the same three values is the same one."""

    service: str
    host: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceInfo:
    """One instance of the service ``name``. Raises ``ConfigurationError`` for a bad value.

    ``weight``: its share under ``weighted`` and ``least_request``, 1 to 1000. ``ttl``: seconds until it is
    taken for gone unless it renews; ``None``: until it deregisters. ``host`` is a name or an address (IPv6
    with or without brackets).
    """

    name: str
    host: str
    port: int
    version: str | None = None
    tags: Iterable[str] = frozenset()
    metadata: Mapping[str, str] = field(default_factory=dict, hash=False)
    zone: str | None = None
    weight: int = 1
    ttl: float | None = None
    health_check: HealthCheck | None = None

    def __post_init__(self) -> None:
        _require(
            isinstance(self.name, str) and bool(self.name) and self.name.isprintable(),
            "name",
            self.name,
            "a text that can be printed, and not be empty",
        )
        _require(_is_host(self.host), "host", self.host, "a host name or an address, without port and scheme")
        if isinstance(self.port, bool) or not isinstance(self.port, int) or not 1 <= self.port <= 65535:
            raise _fault("port", self.port, "a whole number from 1 to 65535")
        for name in ("version", "zone"):
            value = getattr(self, name)
            _require(
                value is None or (isinstance(value, str) and bool(value)),
                name,
                value,
                "a text that is not empty",
            )
        if checks.at_least(_THING, "weight", self.weight, 1) > MAX_WEIGHT:
            raise _fault("weight", self.weight, f"a whole number from 1 to {MAX_WEIGHT}")
        if self.ttl is not None:
            checks.positive_seconds(_THING, "ttl", self.ttl)
        _require(
            self.health_check is None or isinstance(self.health_check, HealthCheck),
            "health_check",
            self.health_check,
            "a HealthCheck",
        )
        object.__setattr__(self, "host", normal_host(self.host))
        object.__setattr__(self, "tags", tags_of(_THING, self.tags))
        object.__setattr__(self, "metadata", _metadata(self.metadata))

    @property
    def key(self) -> InstanceKey:
        return InstanceKey(self.name, self.host, self.port)


def tags_of(thing: str, value: Any) -> frozenset[str]:
    """``value`` as a set of tags. A text alone is refused: it would be taken for the tags that its letters are."""
    if not isinstance(value, str) and isinstance(value, Iterable):
        tags = list(value)
        if all(isinstance(tag, str) and tag for tag in tags):
            return frozenset(tags)
    raise ConfigurationError(f"{thing} tags must be several texts that are not empty, got {value!r}")


def _metadata(value: Any) -> Mapping[str, str]:
    if not isinstance(value, Mapping) or not all(
        isinstance(key, str) and isinstance(text, str) for key, text in value.items()
    ):
        raise _fault("metadata", value, "a map of texts to texts")
    return MappingProxyType(dict(value))


def normal_host(host: str) -> str:
    """``host`` as instances are told apart by it: lower case, an IPv6 address in its short form and without brackets."""
    bare = host.strip("[]").lower()
    return ipaddress.ip_address(bare).compressed if _is_v6(bare) else bare


def _is_host(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    bracketed = value.startswith("[") and value.endswith("]")
    bare = value[1:-1] if bracketed else value
    if bracketed or ":" in bare:
        return _is_v6(bare)
    return bool(bare) and bare.isprintable() and not set(bare) & set(" /@?#[]\\*")


def _is_v6(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).version == 6
    except ValueError:
        return False


def _require(right: bool, name: str, value: Any, rule: str) -> None:
    if not right:
        raise _fault(name, value, rule)


def _fault(name: str, value: Any, rule: str) -> ConfigurationError:
    return ConfigurationError(f"{_THING} {name} must be {rule}, got {value!r}")
