"""A response body that is read under a deadline, even if it trickles in byte by byte.

A socket's timeout bounds one read, and a buffered reader reads until it has what it was asked for: a body
that sends a byte a second would never end. So the reader of the response is swapped for one that looks at the
deadline before each read from the socket, and lets that read last no longer than what is left.
"""

from __future__ import annotations

import io
from typing import Any

from otel_resilience import clock


class DeadlineReader(io.RawIOBase):
    """Reads from ``inner``, one read of the socket at a time, until the instant ``expires_at`` of the monotonic clock.

    Raises ``TimeoutError`` after it. Used by one thread.
    """

    def __init__(self, inner: Any, expires_at: float) -> None:
        super().__init__()
        self._inner = inner
        self._expires_at = expires_at
        self._socket = getattr(getattr(inner, "raw", None), "_sock", None)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self._expires_at - clock.current().monotonic()
        if left <= 0:
            raise TimeoutError("the deadline passed while the body was read")
        self._shorten_wait(left)
        data: bytes = self._inner.read1(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def _shorten_wait(self, left: float) -> None:
        # Whoever takes the connection from the pool next sets the socket's timeout anew.
        if self._socket is None:
            return
        waits = self._socket.gettimeout()
        if waits is None or waits > left:
            self._socket.settimeout(left)

    def close(self) -> None:
        if not self.closed:
            self._inner.close()
            super().close()


def bound_body(raw: Any, expires_at: float) -> bool:
    """Let the body of ``raw``, a ``urllib3.HTTPResponse``, be read until ``expires_at``.

    False where it is built otherwise (a test's double).
    """
    message: Any = getattr(raw, "_fp", None)
    reader = getattr(message, "fp", None)
    if reader is None or not hasattr(reader, "read1"):
        return False
    message.fp = io.BufferedReader(DeadlineReader(reader, expires_at))
    return True
