"""The body of an ``httpx`` response (or of ``httpx2``) that is read under a deadline, even if it trickles in byte by byte.

``httpx`` bounds each read, and a body that sends a byte a second would never end. So the reads of the
connection are bounded by the deadline while the body is read, and given back before the connection is.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from otel_resilience import clock


def bound_body(library: Any, response: Any, expires_at: float) -> None:
    """Let the body of ``response`` be read until the instant ``expires_at`` of the monotonic clock."""
    response.stream = _kind(library)(library, response, expires_at)


@cache
def _kind(library: Any) -> type[_DeadlineBody]:
    return type("DeadlineBody", (_DeadlineBody, library.SyncByteStream), {})


class _DeadlineBody:
    """Raises the library's ``ReadTimeout`` when the time is over.

    A connection of HTTP/1 is this response's alone until it is closed,
    so its reads are bounded; one that others share is looked at between two parts. Used by one thread.
    """

    def __init__(self, library: Any, response: Any, expires_at: float) -> None:
        self._library = library
        self._inner = response.stream
        self._request = response.request
        self._expires_at = expires_at
        alone = response.http_version.startswith("HTTP/1")
        self._connection: Any = response.extensions.get("network_stream") if alone else None

    def __iter__(self) -> Iterator[bytes]:
        self._take()
        for part in self._inner:
            yield part
            self._left()

    def close(self) -> None:
        self._give_back()
        self._inner.close()

    def _left(self) -> float:
        left = self._expires_at - clock.current().monotonic()
        if left <= 0:
            raise self._library.ReadTimeout(
                "the deadline passed while the body was read", request=self._request
            )
        return left

    def _take(self) -> None:
        read = getattr(self._connection, "read", None)
        if not callable(read) or not hasattr(self._connection, "__dict__"):
            self._connection = None  # built otherwise, as a test's double is
            return

        def bounded(max_bytes: int, timeout: float | None = None) -> Any:
            left = self._left()
            return read(max_bytes, left if timeout is None else min(timeout, left))

        self._connection.read = bounded

    def _give_back(self) -> None:
        if self._connection is not None:
            vars(self._connection).pop("read", None)
