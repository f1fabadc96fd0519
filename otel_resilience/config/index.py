"""Which service a call is for: the most specific match wins."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from otel_resilience.config.patterns import Kind
from otel_resilience.config.specs import ServiceSpec


class ServiceIndex:
    """Looks names up, resolves none.

    Hosts are given as ``normal_host`` makes them. Made once, read by many threads.
    """

    def __init__(self, services: Iterable[ServiceSpec]) -> None:
        entries = list(services)
        self._addresses = _lone_endpoints(entries)
        self._hosts: dict[str, str] = {}
        self._domains: dict[str, str] = {}
        self._grpc: dict[str, str] = {}
        for entry in entries:
            for pattern in entry.match:
                if pattern.kind is Kind.ADDRESS:
                    self._addresses[pattern.name, pattern.port] = entry.name
                elif pattern.kind is Kind.HOST:
                    self._hosts[pattern.name] = entry.name
                elif pattern.kind is Kind.DOMAIN:
                    self._domains[pattern.name] = entry.name
                else:
                    self._grpc[pattern.name] = entry.name

    def by_host(self, host: str, port: int | None) -> str | None:
        """By ``host:port``, ``host``, the longest ``*.domain``; ``None`` where only a catch-all is left."""
        return self._addresses.get((host, port)) or self._hosts.get(host) or self._by_domain(host)

    def by_grpc_service(self, service: str) -> str | None:
        """By ``grpc:package.Service``."""
        return self._grpc.get(service)

    def _by_domain(self, host: str) -> str | None:
        if not self._domains:
            return None
        _, dot, domain = host.partition(".")
        while dot:
            name = self._domains.get(domain)
            if name is not None:
                return name
            _, dot, domain = domain.partition(".")
        return None


def _lone_endpoints(entries: list[ServiceSpec]) -> dict[tuple[str, int | None], str]:
    """Endpoints say whose address it is where one service alone has it; several may share a server."""
    shared: Mapping[tuple[str, int | None], int] = Counter(
        endpoint for entry in entries for endpoint in entry.endpoints
    )
    return {
        endpoint: entry.name for entry in entries for endpoint in entry.endpoints if shared[endpoint] == 1
    }
