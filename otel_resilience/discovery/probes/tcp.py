"""Well is who accepts a connection."""

from __future__ import annotations

from otel_resilience.discovery.probes.connection import Resolver, connection


async def probe_tcp(resolver: Resolver, host: str, port: int) -> None:
    """Raises ``OSError`` where nobody accepts."""
    async with connection(resolver, host, port):
        pass
