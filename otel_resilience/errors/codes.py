"""The stable code of an error: what other services and alerts see instead of a class name.

Libraries are known by module and class name, so that none is imported. The order of the rules is the contract's: the
exception's own code, a registered one, the gRPC status, the HTTP status, the table, ``INTERNAL``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from otel_resilience.errors.peek import peek
from otel_resilience.exceptions import ConfigurationError, is_code
from otel_resilience.forking import ProcessLock

INTERNAL = "INTERNAL"

#: Codes that a retry may help, and that ``retry.on`` has where nothing is written.
RETRY_DEFAULT = frozenset(
    [
        "CONNECT_FAILED",
        "CONNECT_TIMEOUT",
        "DNS_FAILED",
        "READ_TIMEOUT",
        "HTTP_429",
        "HTTP_502",
        "HTTP_503",
        "HTTP_504",
        "UNAVAILABLE",
    ]
)
RETRYABLE = RETRY_DEFAULT | {"DB_UNAVAILABLE"}

#: gRPC statuses that say something of the dependency's health; the others are answers.
GRPC_FAILURES = frozenset(
    ["UNAVAILABLE", "DEADLINE_EXCEEDED", "INTERNAL", "UNKNOWN", "RESOURCE_EXHAUSTED", "DATA_LOSS"]
)

_SQLITE_BY_ERROR = {
    "SQLITE_BUSY": "DB_CONFLICT",
    "SQLITE_LOCKED": "DB_CONFLICT",
    # Not the database but the statement: no table of that name, a syntax error.
    "SQLITE_ERROR": INTERNAL,
}


def _sqlite_operational(error: BaseException) -> str:
    name = peek(error, "sqlite_errorname")
    if not isinstance(name, str):
        return "DB_UNAVAILABLE"
    # Extended result codes begin with the primary one: SQLITE_BUSY_SNAPSHOT, SQLITE_CANTOPEN_ISDIR.
    return _SQLITE_BY_ERROR.get("_".join(name.split("_")[:2]), "DB_UNAVAILABLE")


def _connection_error(error: BaseException) -> str:
    """requests raises one class for everything that goes wrong below HTTP; what it was lies in urllib3's error."""
    for inner in _causes(error):
        for kind in type(inner).__mro__:
            code = _TABLE.get(_class_name(kind))
            if isinstance(code, str):
                return code
    return "CONNECT_FAILED"


def _causes(error: BaseException) -> list[BaseException]:
    """The errors wrapped in ``args`` and ``reason`` or chained, innermost first; bounded, cycles end."""
    found: list[BaseException] = []
    waiting: list[Any] = [error]
    while waiting and len(found) < 16:
        candidate = waiting.pop()
        if not isinstance(candidate, BaseException) or any(candidate is known for known in found):
            continue
        found.append(candidate)
        waiting += [
            *candidate.args,
            peek(candidate, "reason"),
            candidate.__cause__,
            candidate.__context__,
        ]
    return found[:0:-1]


_TABLE: dict[str, str | Callable[[BaseException], str]] = {
    "ConnectionRefusedError": "CONNECT_FAILED",
    "ConnectionResetError": "CONNECTION_LOST",
    "ConnectionAbortedError": "CONNECTION_LOST",
    "BrokenPipeError": "CONNECTION_LOST",
    "TimeoutError": "READ_TIMEOUT",
    "socket.gaierror": "DNS_FAILED",
    "ssl.SSLError": "TLS_FAILED",
    "http.client.RemoteDisconnected": "CONNECTION_LOST",
    "http.client.IncompleteRead": "CONNECTION_LOST",
    "sqlite3.OperationalError": _sqlite_operational,
    "sqlite3.DatabaseError": "DB_UNAVAILABLE",
    "sqlite3.IntegrityError": "DB_CONFLICT",
    "sqlite3.ProgrammingError": INTERNAL,
    "sqlite3.DataError": INTERNAL,
    "sqlite3.NotSupportedError": INTERNAL,
    "urllib3.exceptions.NameResolutionError": "DNS_FAILED",
    "urllib3.exceptions.ConnectTimeoutError": "CONNECT_TIMEOUT",
    "urllib3.exceptions.ReadTimeoutError": "READ_TIMEOUT",
    "urllib3.exceptions.NewConnectionError": "CONNECT_FAILED",
    "urllib3.exceptions.SSLError": "TLS_FAILED",
    "urllib3.exceptions.ProtocolError": "CONNECTION_LOST",
    "requests.exceptions.ConnectTimeout": "CONNECT_TIMEOUT",
    "requests.exceptions.ReadTimeout": "READ_TIMEOUT",
    "requests.exceptions.SSLError": "TLS_FAILED",
    "requests.exceptions.ChunkedEncodingError": "CONNECTION_LOST",
    "requests.exceptions.ConnectionError": _connection_error,
    "httpx.ConnectTimeout": "CONNECT_TIMEOUT",
    "httpx.PoolTimeout": "CONNECT_TIMEOUT",
    "httpx.ReadTimeout": "READ_TIMEOUT",
    "httpx.WriteTimeout": "READ_TIMEOUT",
    "httpx.ConnectError": _connection_error,
    "httpx.ReadError": "CONNECTION_LOST",
    "httpx.WriteError": "CONNECTION_LOST",
    "httpx.CloseError": "CONNECTION_LOST",
    "httpx.RemoteProtocolError": "CONNECTION_LOST",
}
_TABLE |= {f"httpx2.{name[6:]}": rule for name, rule in _TABLE.items() if name.startswith("httpx.")}

_registered: dict[type[BaseException], str] = {}
_registering = ProcessLock()  # guards the swap; lookups read whatever mapping is there


def register_code(kind: type[BaseException], code: str) -> None:
    """Give exceptions of ``kind`` and its subclasses the stable ``code``. Safe from any thread; the last one wins.

    Raises ``ConfigurationError`` where ``kind`` is no exception type or ``code`` is not ``UPPER_SNAKE`` of at most 63.
    """
    if not (isinstance(kind, type) and issubclass(kind, BaseException)):
        raise ConfigurationError(f"register_code type must be an exception type, got {kind!r}")
    if not is_code(code):
        raise ConfigurationError(
            f"register_code code must be UPPER_SNAKE, at most 63 characters, got {code!r}"
        )
    global _registered
    with _registering:
        _registered = {**_registered, kind: code}


def code_of(error: BaseException) -> str:
    """The stable code of ``error``. Never raises."""
    return (
        _own_code(error)
        or _registered_code(error)
        or grpc_status(error)
        or _http_code(error)
        or _table_code(error)
        or INTERNAL
    )


def is_retryable(error: BaseException, code: str) -> bool:
    """Whether another try may help: the exception's own word, else the code's."""
    own = peek(error, "retryable")
    return own if isinstance(own, bool) else code in RETRYABLE


def grpc_status(error: object) -> str | None:
    """The name of the gRPC status that ``error`` carries, as ``grpc.RpcError`` with ``Call`` does."""
    status = peek(error, "code")
    if not callable(status):
        return None
    try:
        name = getattr(status(), "name", None)
    except Exception:  # somebody else's ``code()``: whatever it raises, it is no gRPC status
        return None
    return name if is_code(name) else None


def http_status(x: object) -> int | None:
    """The HTTP status of a response, of the response on an error, or of an error that stands for an answer."""
    for holder in (peek(x, "response"), x):
        for name in ("status_code", "status", "code"):
            status = peek(holder, name)
            if isinstance(status, int) and not isinstance(status, bool) and 100 <= status <= 599:
                return status
    return None


def _own_code(error: BaseException) -> str | None:
    for name in ("error_code", "code"):
        own = peek(error, name)
        if is_code(own):
            return str(own)
    return None


def _registered_code(error: BaseException) -> str | None:
    table = _registered
    return next((table[kind] for kind in type(error).__mro__ if kind in table), None)


def _http_code(error: BaseException) -> str | None:
    status = http_status(error)
    return None if status is None else f"HTTP_{status}"


def _table_code(error: BaseException) -> str | None:
    for kind in type(error).__mro__:
        rule = _TABLE.get(_class_name(kind))
        if rule is not None:
            return rule if isinstance(rule, str) else rule(error)
    return None


def _class_name(kind: type) -> str:
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
