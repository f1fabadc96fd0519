"""A TCP connection to an instance, for probes."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from otel_resilience.discovery.probes.answer import CannotProbeNowError

#: Longest status line that is read.
_LIMIT = 4096


class Resolver:
    """Resolves names in threads that delay nobody's exit, at most ``most`` at a time.

    The event loop's own executor is joined when the interpreter ends, which a hanging resolver would then
    delay. Belongs to one event loop.
    """

    def __init__(self, most: int = 8) -> None:
        self._free = asyncio.Semaphore(most)

    async def addresses(self, host: str, port: int) -> list[str]:
        """The addresses of ``host``. Raises ``OSError``, ``CannotProbeNowError``."""
        try:
            return [str(ipaddress.ip_address(host))]
        except ValueError:
            pass
        await self._free.acquire()
        loop = asyncio.get_running_loop()
        found: asyncio.Future[list[str]] = loop.create_future()

        def settle(addresses: list[str] | None, error: Exception | None) -> None:
            self._free.release()  # when the thread is done, not when somebody stopped waiting for it
            if found.done():
                return
            if error is not None:
                found.set_exception(error)
            elif addresses is not None:
                found.set_result(addresses)

        def resolve() -> None:
            addresses: list[str] | None = None
            error: Exception | None = None
            try:
                known = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
                addresses = list(dict.fromkeys(str(each[4][0]) for each in known))
            except Exception as raised:
                error = raised
            try:
                loop.call_soon_threadsafe(settle, addresses, error)
            except RuntimeError:
                pass  # the loop was closed meanwhile

        try:
            threading.Thread(target=resolve, name="otel-resilience-resolver", daemon=True).start()
        except RuntimeError as error:  # no thread can be started
            self._free.release()
            raise CannotProbeNowError(str(error)) from None
        return await found


@asynccontextmanager
async def connection(
    resolver: Resolver, host: str, port: int
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to the first address of ``host`` that accepts one; cut off at the end. Raises ``OSError``."""
    refusal: OSError | None = None
    for address in await resolver.addresses(host, port):
        try:
            reader, writer = await asyncio.open_connection(address, port, limit=_LIMIT)
        except OSError as error:
            refusal = error
            continue
        try:
            yield reader, writer
        finally:
            writer.transport.abort()  # nothing is owed to the peer: a close that waits could hang
        return
    raise refusal or OSError("no address")
