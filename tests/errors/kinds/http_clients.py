"""Errors of requests, urllib3, httpx, httpx2, anyio, aiohttp and gRPC's futures."""

from __future__ import annotations

import ssl
from functools import partial
from types import ModuleType, SimpleNamespace

import aiohttp
import anyio
import grpc
import httpx
import httpx2
from requests import exceptions as requests
from urllib3 import exceptions as urllib3
from urllib3.connection import HTTPConnection

from tests.errors.kinds.kind import Kind, caused
from tests.errors.kinds.python import REFUSED, RESET, UNRESOLVED

_CONNECTION = HTTPConnection("ledger", 80)
_UNTRUSTED = ssl.SSLCertVerificationError(1, "self-signed certificate")
_CUT_OFF = ssl.SSLEOFError(8, "EOF in violation of protocol")

_new_connection = partial(urllib3.NewConnectionError, _CONNECTION, "refused")
_unknown_name = partial(urllib3.NameResolutionError, "ledger", _CONNECTION, UNRESOLVED)
_aborted = partial(urllib3.ProtocolError, "Connection aborted.", RESET)


def _retried(reason: Exception) -> urllib3.MaxRetryError:
    return urllib3.MaxRetryError(_CONNECTION, "/", reason)


def _before_2() -> Exception:
    """As urllib3 1.26 raises it for a name that does not resolve."""
    error = _new_connection()
    error.__context__ = UNRESOLVED
    return error


_URLLIB3 = [
    Kind("urllib3.exceptions.NameResolutionError", "DNS_FAILED", _unknown_name),
    Kind("urllib3.exceptions.NewConnectionError", "CONNECT_FAILED", _new_connection),
    Kind("urllib3.exceptions.NewConnectionError", "DNS_FAILED", _before_2, "before-2"),
    Kind("urllib3.exceptions.ConnectTimeoutError", "CONNECT_TIMEOUT", urllib3.ConnectTimeoutError),
    Kind(
        "urllib3.exceptions.TimeoutError",
        "READ_TIMEOUT",
        lambda: urllib3.ReadTimeoutError(_CONNECTION, "/", "Read timed out."),
    ),
    Kind("urllib3.exceptions.SSLError", "TLS_FAILED", lambda: urllib3.SSLError(_UNTRUSTED)),
    Kind("urllib3.exceptions.SSLError", "CONNECTION_LOST", lambda: urllib3.SSLError(_CUT_OFF), "cut-off"),
    Kind("urllib3.exceptions.ProtocolError", "CONNECTION_LOST", _aborted),
    Kind("urllib3.exceptions.ProxyError", "CONNECT_FAILED", lambda: urllib3.ProxyError("no", OSError("407"))),
    Kind(
        "urllib3.exceptions.ProxyError",
        "DNS_FAILED",
        lambda: urllib3.ProxyError("no", _unknown_name()),
        "unresolved",
    ),
    Kind("urllib3.exceptions.MaxRetryError", "CONNECT_FAILED", lambda: _retried(_new_connection())),
    Kind("urllib3.exceptions.MaxRetryError", "CONNECTION_LOST", lambda: _retried(_aborted()), "aborted"),
    Kind(
        "urllib3.exceptions.MaxRetryError",
        "MAX_RETRIES_EXCEEDED",
        lambda: _retried(urllib3.ResponseError("too many 503 error responses")),
        "status",
    ),
    Kind("urllib3.exceptions.ResponseError", "MAX_RETRIES_EXCEEDED", urllib3.ResponseError),
    Kind(
        "urllib3.exceptions.EmptyPoolError",
        "POOL_EXHAUSTED",
        lambda: urllib3.EmptyPoolError(_CONNECTION, "no free connection"),
    ),
]

_REQUESTS = [
    Kind(
        "requests.exceptions.ConnectionError",
        "CONNECT_FAILED",
        lambda: requests.ConnectionError(_retried(_new_connection())),
    ),
    Kind(
        "requests.exceptions.ConnectionError",
        "CONNECTION_LOST",
        lambda: requests.ConnectionError(_aborted()),
        "aborted",
    ),
    Kind(
        "requests.exceptions.ConnectionError",
        "DNS_FAILED",
        lambda: requests.ConnectionError(_retried(_unknown_name())),
        "unresolved",
    ),
    Kind("requests.exceptions.ConnectTimeout", "CONNECT_TIMEOUT", requests.ConnectTimeout),
    Kind("requests.exceptions.Timeout", "READ_TIMEOUT", requests.ReadTimeout),
    Kind(
        "requests.exceptions.SSLError",
        "TLS_FAILED",
        lambda: requests.SSLError(_retried(urllib3.SSLError(_UNTRUSTED))),
    ),
    Kind(
        "requests.exceptions.SSLError",
        "CONNECTION_LOST",
        lambda: requests.SSLError(_retried(urllib3.SSLError(_CUT_OFF))),
        "cut-off",
    ),
    Kind("requests.exceptions.ChunkedEncodingError", "CONNECTION_LOST", requests.ChunkedEncodingError),
    Kind("requests.exceptions.RetryError", "MAX_RETRIES_EXCEEDED", requests.RetryError),
]


def _httpx(library: ModuleType) -> list[Kind]:
    def kind(
        row: str, code: str, detail: str = "", raised: str | None = None, cause: Exception | None = None
    ) -> Kind:
        def make() -> Exception:
            error: Exception = getattr(library, raised or row)("as the library says")
            return error if cause is None else caused(error, cause)

        return Kind(f"{library.__name__}.{row}", code, make, detail)

    return [
        kind("ConnectError", "CONNECT_FAILED", cause=REFUSED),
        kind("ConnectError", "DNS_FAILED", "unresolved", cause=UNRESOLVED),
        kind("ConnectError", "TLS_FAILED", "untrusted", cause=_UNTRUSTED),
        kind("ProxyError", "CONNECT_FAILED"),
        kind("ConnectTimeout", "CONNECT_TIMEOUT"),
        kind("TimeoutException", "READ_TIMEOUT", raised="ReadTimeout"),
        kind("TimeoutException", "READ_TIMEOUT", "write", raised="WriteTimeout"),
        kind("PoolTimeout", "POOL_EXHAUSTED"),
        kind("NetworkError", "CONNECTION_LOST", raised="ReadError"),
        kind("NetworkError", "CONNECTION_LOST", "write", raised="WriteError"),
        kind("NetworkError", "TLS_FAILED", "certificate-required", raised="ReadError", cause=_UNTRUSTED),
        kind("RemoteProtocolError", "CONNECTION_LOST"),
    ]


_ANYIO = [
    Kind("anyio.BrokenResourceError", "CONNECTION_LOST", anyio.BrokenResourceError),
    Kind(
        "anyio.BrokenResourceError",
        "TLS_FAILED",
        lambda: caused(anyio.BrokenResourceError(), _UNTRUSTED),
        "untrusted",
    ),
    Kind("anyio.EndOfStream", "CONNECTION_LOST", anyio.EndOfStream),
]


def _aiohttp(row: str, code: str, *args: object, detail: str = "", raised: str | None = None) -> Kind:
    return Kind(
        f"aiohttp.client_exceptions.{row}", code, partial(getattr(aiohttp, raised or row), *args), detail
    )


_HOST = SimpleNamespace(host="ledger", port=80, ssl=True)  # as much of a connection's key as errors look at

_AIOHTTP = [
    _aiohttp("ClientConnectionError", "CONNECTION_LOST", "Connector is closed"),
    _aiohttp(
        "ClientConnectionError", "CONNECTION_LOST", detail="disconnected", raised="ServerDisconnectedError"
    ),
    _aiohttp("ClientOSError", "CONNECTION_LOST", *RESET.args),
    _aiohttp("ClientConnectorError", "CONNECT_FAILED", _HOST, REFUSED),
    _aiohttp("ClientConnectorError", "CONNECTION_LOST", _HOST, RESET, detail="reset"),
    _aiohttp("ClientConnectorDNSError", "DNS_FAILED", _HOST, UNRESOLVED),
    _aiohttp("ClientSSLError", "TLS_FAILED", _HOST, ssl.SSLError(1, "no"), raised="ClientConnectorSSLError"),
    _aiohttp(
        "ClientSSLError",
        "TLS_FAILED",
        _HOST,
        _UNTRUSTED,
        detail="untrusted",
        raised="ClientConnectorCertificateError",
    ),
    _aiohttp("ServerFingerprintMismatch", "TLS_FAILED", b"expected", b"got", "ledger", 443),
    _aiohttp("ServerTimeoutError", "READ_TIMEOUT", raised="SocketTimeoutError"),
    _aiohttp("ConnectionTimeoutError", "CONNECT_TIMEOUT"),
    _aiohttp("ClientPayloadError", "CONNECTION_LOST", "Response payload is not completed"),
]

_GRPC = [
    Kind("grpc.FutureTimeoutError", "DEADLINE_EXCEEDED", grpc.FutureTimeoutError),
    Kind("grpc.FutureCancelledError", "CANCELLED", grpc.FutureCancelledError),
]

KINDS = [*_URLLIB3, *_REQUESTS, *_httpx(httpx), *_httpx(httpx2), *_ANYIO, *_AIOHTTP, *_GRPC]
