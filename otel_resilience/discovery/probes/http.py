"""Well is who answers a GET with 200 to 299.

Spoken by hand: only the status line matters, redirects are not followed, and no instrumented client makes
spans and metrics of it.
"""

from __future__ import annotations

import asyncio
import re

from otel_resilience.discovery.probes.answer import ProbeFailedError
from otel_resilience.discovery.probes.connection import Resolver, connection

_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-9][0-9]{2})(?: [^\r\n]*)?\r?\n", re.ASCII)


async def probe_http(resolver: Resolver, host: str, port: int, path: str) -> None:
    """Raises ``OSError``, or ``ProbeFailedError`` for another answer."""
    name = f"[{host}]" if ":" in host else _as_ascii(host)
    request = (
        f"GET {path} HTTP/1.1\r\nHost: {name}:{port}\r\nUser-Agent: otel-resilience-health-check\r\n"
        "Accept: */*\r\nConnection: close\r\n\r\n"
    )
    async with connection(resolver, host, port) as (reader, writer):
        writer.write(request.encode("ascii", "replace"))
        try:
            line = await reader.readuntil(b"\n")
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            raise ProbeFailedError("no HTTP status line") from None
    status = _STATUS_LINE.fullmatch(line)
    if status is None:
        raise ProbeFailedError("no HTTP status line")
    if not 200 <= int(status[1]) <= 299:
        raise ProbeFailedError(f"HTTP {int(status[1])}")


def _as_ascii(host: str) -> str:
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError:  # no name of the DNS, whatever else resolves it
        return host
