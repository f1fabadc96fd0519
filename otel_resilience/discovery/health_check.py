"""How an instance is asked whether it is well: what to ask, how often, and how many answers count."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from otel_resilience.exceptions import ConfigurationError
from otel_resilience.policies import checks

_THING = "HealthCheck"

Protocol = Literal["http", "grpc", "tcp"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCheck:
    """One of ``http``, ``grpc`` and ``tcp``; durations in seconds. Raises ``ConfigurationError`` for a bad option.

    ``http``: a path; 200 to 299 is well. ``grpc``: the service asked for by ``grpc.health.v1.Health/Check``,
    ``""`` for the server as a whole; ``SERVING`` is well. ``tcp``: a connection that is accepted is well.
    ``timeout`` covers a check from the name's resolution to the answer. ``unhealthy_threshold`` failures in a
    row take the instance out, ``healthy_threshold`` successes in a row bring it back; before its first
    verdict it is used.
    """

    http: str | None = None
    grpc: str | None = None
    tcp: bool = False
    interval: float = 10.0
    timeout: float = 1.0
    healthy_threshold: int = 1
    unhealthy_threshold: int = 3

    def __post_init__(self) -> None:
        if self.http is not None and not _is_path(self.http):
            raise ConfigurationError(
                f'{_THING} http must be a path that begins with "/", of visible ASCII, got {self.http!r}'
            )
        if self.grpc is not None and not isinstance(self.grpc, str):
            raise ConfigurationError(f"{_THING} grpc must be the name of a gRPC service, got {self.grpc!r}")
        if not isinstance(self.tcp, bool):
            raise ConfigurationError(f"{_THING} tcp must be True or False, got {self.tcp!r}")
        if (self.http is not None) + (self.grpc is not None) + self.tcp != 1:
            raise ConfigurationError(
                f"{_THING} must have exactly one of http, grpc and tcp, "
                f"got http={self.http!r}, grpc={self.grpc!r}, tcp={self.tcp!r}"
            )
        checks.positive_seconds(_THING, "interval", self.interval)
        checks.positive_seconds(_THING, "timeout", self.timeout)
        checks.at_least(_THING, "healthy_threshold", self.healthy_threshold, 1)
        checks.at_least(_THING, "unhealthy_threshold", self.unhealthy_threshold, 1)

    @property
    def protocol(self) -> Protocol:
        """Which of the three it is."""
        if self.http is not None:
            return "http"
        return "tcp" if self.tcp else "grpc"


def _is_path(value: Any) -> bool:
    # It is written into a request line: a space or a line's end in it would be another request.
    return isinstance(value, str) and value.startswith("/") and all("!" <= sign <= "~" for sign in value)
