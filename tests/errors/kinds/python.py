"""Errors of sockets, TLS and streams in Python's own library."""

from __future__ import annotations

import asyncio
import errno
import http.client
import socket
import ssl
from urllib import error as urllib

from tests.errors.kinds.kind import Kind

REFUSED = ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
RESET = ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")
UNRESOLVED = socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def _system(number: int) -> OSError:
    """Python has a class of its own for some of them."""
    return OSError(number, "as the operating system says")


KINDS = [
    Kind("OSError", "INTERNAL", lambda: _system(errno.ENOSPC)),
    Kind("OSError", "CONNECT_FAILED", lambda: _system(errno.ENETUNREACH), "ENETUNREACH"),
    Kind("OSError", "CONNECT_FAILED", lambda: _system(errno.EHOSTUNREACH), "EHOSTUNREACH"),
    Kind("OSError", "CONNECT_FAILED", lambda: _system(errno.ENETDOWN), "ENETDOWN"),
    Kind("OSError", "CONNECT_FAILED", lambda: _system(errno.EHOSTDOWN), "EHOSTDOWN"),
    Kind("OSError", "CONNECT_FAILED", lambda: _system(errno.EADDRNOTAVAIL), "EADDRNOTAVAIL"),
    Kind("TimeoutError", "READ_TIMEOUT", lambda: TimeoutError("timed out")),
    Kind("TimeoutError", "CONNECT_TIMEOUT", lambda: _system(errno.ETIMEDOUT), "ETIMEDOUT"),
    Kind("ConnectionRefusedError", "CONNECT_FAILED", lambda: _system(errno.ECONNREFUSED)),
    Kind("ConnectionError", "CONNECTION_LOST", lambda: ConnectionError("gone")),
    Kind("ConnectionError", "CONNECTION_LOST", lambda: _system(errno.ECONNRESET), "ECONNRESET"),
    Kind("ConnectionError", "CONNECTION_LOST", lambda: _system(errno.ECONNABORTED), "ECONNABORTED"),
    Kind("ConnectionError", "CONNECTION_LOST", lambda: _system(errno.EPIPE), "EPIPE"),
    Kind("socket.gaierror", "DNS_FAILED", lambda: socket.gaierror(socket.EAI_AGAIN, "try again")),
    Kind("socket.herror", "DNS_FAILED", lambda: socket.herror(1, "Unknown host")),
    Kind("ssl.SSLError", "TLS_FAILED", lambda: ssl.SSLError(1, "wrong version number")),
    Kind("ssl.SSLError", "TLS_FAILED", lambda: ssl.SSLCertVerificationError(1, "expired"), "certificate"),
    Kind("ssl.SSLEOFError", "CONNECTION_LOST", lambda: ssl.SSLEOFError(8, "EOF in violation of protocol")),
    Kind("ssl.SSLZeroReturnError", "CONNECTION_LOST", lambda: ssl.SSLZeroReturnError(6, "closed")),
    Kind(
        "asyncio.exceptions.IncompleteReadError",
        "CONNECTION_LOST",
        lambda: asyncio.IncompleteReadError(b"ab", 4),
    ),
    Kind("http.client.IncompleteRead", "CONNECTION_LOST", lambda: http.client.IncompleteRead(b"ab", 2)),
    Kind("urllib.error.URLError", "INTERNAL", lambda: urllib.URLError("unknown url type: x")),
    Kind("urllib.error.URLError", "CONNECT_FAILED", lambda: urllib.URLError(REFUSED), "refused"),
    Kind("urllib.error.URLError", "DNS_FAILED", lambda: urllib.URLError(UNRESOLVED), "unresolved"),
    Kind("urllib.error.URLError", "CONNECT_TIMEOUT", lambda: urllib.URLError(TimeoutError()), "connecting"),
    Kind(
        "urllib.error.ContentTooShortError",
        "CONNECTION_LOST",
        lambda: urllib.ContentTooShortError("2 of 4 bytes", None),
    ),
]
