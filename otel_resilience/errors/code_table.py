"""The table of codes: an exception's class, by module and name, and the code that it stands for.

The most derived class that has a row decides. Names only: no library is imported for it. ``docs/error_codes.md`` says
what each code means to whoever reads it at night; ``tests/errors/every_kind.py`` has a real exception for each row.
"""

from __future__ import annotations

from collections.abc import Mapping

from otel_resilience.errors.code_readers import (
    Ask,
    connect_timed_out,
    errno_code,
    redis_code,
    sqlalchemy_code,
    sqlite_code,
    sqlstate_code,
    unresolved,
)

Rows = Mapping[str, str | Ask]


def _in(module: str, rows: Rows) -> Rows:
    return {f"{module}.{name}": row for name, row in rows.items()}


_PYTHON: Rows = {
    "OSError": Ask(None, by=errno_code),
    "TimeoutError": Ask("READ_TIMEOUT", by=errno_code),
    "ConnectionError": "CONNECTION_LOST",
    "ConnectionRefusedError": "CONNECT_FAILED",
    "socket.gaierror": "DNS_FAILED",
    "socket.herror": "DNS_FAILED",
    "ssl.SSLError": "TLS_FAILED",
    # The peer, or something between, has gone: no certificate will be found wrong.
    "ssl.SSLEOFError": "CONNECTION_LOST",
    "ssl.SSLZeroReturnError": "CONNECTION_LOST",
    "asyncio.exceptions.IncompleteReadError": "CONNECTION_LOST",
    "http.client.IncompleteRead": "CONNECTION_LOST",
    "urllib.error.URLError": Ask(None, by=connect_timed_out, inside=True),
    "urllib.error.ContentTooShortError": "CONNECTION_LOST",
}

_URLLIB3 = _in(
    "urllib3.exceptions",
    {
        "NameResolutionError": "DNS_FAILED",
        "NewConnectionError": Ask("CONNECT_FAILED", by=unresolved),
        "ConnectTimeoutError": "CONNECT_TIMEOUT",
        "TimeoutError": "READ_TIMEOUT",
        "SSLError": Ask("TLS_FAILED", inside=True),
        "ProtocolError": "CONNECTION_LOST",
        "ProxyError": Ask("CONNECT_FAILED", inside=True),
        "MaxRetryError": Ask("CONNECT_FAILED", inside=True),
        "ResponseError": "MAX_RETRIES_EXCEEDED",
        "EmptyPoolError": "POOL_EXHAUSTED",
    },
)

_REQUESTS = _in(
    "requests.exceptions",
    {
        # One class for everything that goes wrong below HTTP; what it was lies in urllib3's error.
        "ConnectionError": Ask("CONNECT_FAILED", inside=True),
        "ConnectTimeout": "CONNECT_TIMEOUT",
        "Timeout": "READ_TIMEOUT",
        "SSLError": Ask("TLS_FAILED", inside=True),
        "ChunkedEncodingError": "CONNECTION_LOST",
        "RetryError": "MAX_RETRIES_EXCEEDED",
    },
)

_HTTPX: Rows = {
    "ConnectError": Ask("CONNECT_FAILED", inside=True),
    "ProxyError": Ask("CONNECT_FAILED", inside=True),
    "ConnectTimeout": "CONNECT_TIMEOUT",
    "TimeoutException": "READ_TIMEOUT",
    "PoolTimeout": "POOL_EXHAUSTED",
    # A peer that wants a certificate says so in TLS 1.3 when the first byte is read.
    "NetworkError": Ask("CONNECTION_LOST", inside=True),
    "RemoteProtocolError": "CONNECTION_LOST",
}

#: What httpx's asynchronous side runs on.
_ANYIO: Rows = {
    "anyio.BrokenResourceError": Ask("CONNECTION_LOST", inside=True),
    "anyio.EndOfStream": "CONNECTION_LOST",
}

_AIOHTTP = _in(
    "aiohttp.client_exceptions",
    {
        "ClientConnectionError": "CONNECTION_LOST",
        "ClientOSError": Ask("CONNECTION_LOST", inside=True),
        "ClientConnectorError": Ask("CONNECT_FAILED", inside=True),
        "ClientConnectorDNSError": "DNS_FAILED",
        "ClientSSLError": "TLS_FAILED",
        "ServerFingerprintMismatch": "TLS_FAILED",
        "ServerTimeoutError": "READ_TIMEOUT",
        "ConnectionTimeoutError": "CONNECT_TIMEOUT",
        "ClientPayloadError": "CONNECTION_LOST",
    },
)

#: Whoever waits for a call's future; the call itself has a status.
_GRPC = _in("grpc", {"FutureTimeoutError": "DEADLINE_EXCEEDED", "FutureCancelledError": "CANCELLED"})

_SQLITE = _in(
    "sqlite3",
    {
        "DatabaseError": Ask("INTERNAL", by=sqlite_code),
        "OperationalError": Ask("DB_UNAVAILABLE", by=sqlite_code),
        "IntegrityError": "DB_CONFLICT",
    },
)

#: Without a SQLSTATE it was the client that failed: no connection, or one that is gone.
_POSTGRES: Rows = {
    "Error": Ask("INTERNAL", by=sqlstate_code),
    "OperationalError": Ask("DB_UNAVAILABLE", by=sqlstate_code),
    "IntegrityError": "DB_CONFLICT",
}
_PSYCOPG: Rows = {
    **_in("psycopg", _POSTGRES),
    "psycopg_pool.TooManyRequests": "POOL_EXHAUSTED",
    **_in("psycopg2", _POSTGRES),
    "psycopg2.InterfaceError": "DB_UNAVAILABLE",  # a connection that was lost is closed from then on
}

_SQLALCHEMY: Rows = {
    **_in(
        "sqlalchemy.exc",
        {
            "DBAPIError": Ask("INTERNAL", by=sqlalchemy_code, inside=True),
            "OperationalError": Ask("DB_UNAVAILABLE", by=sqlalchemy_code, inside=True),
            "IntegrityError": Ask("DB_CONFLICT", by=sqlalchemy_code, inside=True),
            "DisconnectionError": "DB_UNAVAILABLE",
            "TimeoutError": "POOL_EXHAUSTED",
        },
    ),
    "sqlalchemy.orm.exc.StaleDataError": "DB_CONFLICT",
}

_REDIS = _in(
    "redis.exceptions",
    {
        "ConnectionError": "DB_UNAVAILABLE",
        # These are connection errors to the client; to whoever is on call they are a wrong account.
        "AuthenticationError": "INTERNAL",
        "AuthorizationError": "INTERNAL",
        "MaxConnectionsError": "POOL_EXHAUSTED",
        "TimeoutError": "DB_TIMEOUT",
        "ResponseError": Ask("INTERNAL", by=redis_code),
        "ReadOnlyError": "DB_UNAVAILABLE",
        "OutOfMemoryError": "DB_UNAVAILABLE",
        "TryAgainError": "DB_UNAVAILABLE",
        "ClusterError": "DB_UNAVAILABLE",
        "SlotNotCoveredError": "DB_UNAVAILABLE",
        "RedisClusterException": Ask("INTERNAL", inside=True),
        "WatchError": "DB_CONFLICT",
        "LockError": "DB_CONFLICT",
    },
)

TABLE: Rows = {
    **_PYTHON,
    **_URLLIB3,
    **_REQUESTS,
    **_in("httpx", _HTTPX),
    **_in("httpx2", _HTTPX),
    **_ANYIO,
    **_AIOHTTP,
    **_GRPC,
    **_SQLITE,
    **_PSYCOPG,
    **_SQLALCHEMY,
    **_REDIS,
}

#: Modules whose classes warn when ``code``, their old name for the status, is read.
WARNING_OF_CODE = frozenset({"aiohttp.client_exceptions"})
