"""The stable code of an error: what other services and alerts see instead of a class name.

The order of the rules is the contract's: the exception's own code, a registered one, the reason of an ``ErrorInfo``, the
gRPC status, the HTTP status, the table of libraries, ``INTERNAL``.
"""

from __future__ import annotations

from typing import Any, TypeGuard

from otel_resilience.errors.code_readers import Ask, made_from
from otel_resilience.errors.code_table import TABLE, WARNING_OF_CODE
from otel_resilience.errors.codecs import error_info
from otel_resilience.errors.peek import peek
from otel_resilience.exceptions import ConfigurationError, as_code
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

_registered: dict[type[BaseException], str] = {}
_registering = ProcessLock()  # guards the swap; lookups read whatever mapping is there


def register_code(kind: type[BaseException], code: str) -> None:
    """Give exceptions of ``kind`` and its subclasses the stable ``code``. Safe from any thread; the last one wins.

    Raises ``ConfigurationError`` where ``kind`` is no exception type or ``code`` is not ``UPPER_SNAKE`` of at most 63.
    """
    if not (isinstance(kind, type) and issubclass(kind, BaseException)):
        raise ConfigurationError(f"register_code type must be an exception type, got {kind!r}")
    plain = as_code(code)
    if plain is None:
        raise ConfigurationError(
            f"register_code code must be UPPER_SNAKE, at most 63 characters, got {code!r}"
        )
    global _registered
    with _registering:
        _registered = {**_registered, kind: plain}


def code_of(error: BaseException) -> str:
    """The stable code of ``error``. Never raises."""
    try:
        return (
            as_code(peek(error, "error_code"))
            or as_code(said := _code(error))
            or _registered_code(error)
            or _reason(error)
            or _status_name(said)
            or _http_code(error)
            or _table_code(error)
            or INTERNAL
        )
    except Exception:  # somebody else's: it may be anything, and do anything when it is looked at
        return INTERNAL


def is_retryable(error: BaseException, code: str) -> bool:
    """Whether another try may help: the exception's own word, else the code's, or the status's that a reason stands for."""
    own = peek(error, "retryable")
    if isinstance(own, bool):
        return own
    return code in RETRYABLE or grpc_status(error) in RETRYABLE


def grpc_status(error: object) -> str | None:
    """The name of the gRPC status that ``error`` carries, as ``grpc.RpcError`` with ``Call`` does."""
    return _status_name(_code(error))


def http_status(x: object) -> int | None:
    """The HTTP status of a response, of the response on an error, or of an error that stands for an answer."""
    response = peek(x, "response")
    return (None if response is None else _status(response)) or _status(x)


def _code(x: object) -> object | None:
    """``x.code``, but where a library warns of reading it: it is another name of the status there."""
    return None if type(x).__module__ in WARNING_OF_CODE else peek(x, "code")


def _status_name(code: object) -> str | None:
    if not callable(code):
        return None
    try:
        return as_code(getattr(code(), "name", None))
    except Exception:  # somebody else's ``code()``: whatever it raises, it is no gRPC status
        return None


def _status(holder: object) -> int | None:
    for name in ("status_code", "status"):
        status = peek(holder, name)
        if _is_status(status):
            return status
    status = _code(holder)
    return status if _is_status(status) else None


def _is_status(x: object) -> TypeGuard[int]:
    return isinstance(x, int) and not isinstance(x, bool) and 100 <= x <= 599


def _registered_code(error: BaseException) -> str | None:
    table = _registered
    if not table:
        return None
    return next((table[kind] for kind in type(error).__mro__ if kind in table), None)


def _reason(error: BaseException) -> str | None:
    """That of the ``ErrorInfo`` in a gRPC error's trailing metadata, which is a value on some errors, and asked for on others."""
    trailing: Any = peek(error, "trailing_metadata")
    if trailing is None:
        return None
    try:
        return error_info.reason(trailing() if callable(trailing) else trailing)
    except Exception:  # somebody else's metadata
        return None


def _http_code(error: BaseException) -> str | None:
    status = http_status(error)
    return None if status is None else f"HTTP_{int(status)}"


def _table_code(error: BaseException) -> str | None:
    row = _row(error)
    if not isinstance(row, Ask):
        return row
    code = row.by(error) if row.by else None
    if code is None and row.inside:
        code = next(filter(None, map(_word, made_from(error))), None)
    return code or row.otherwise


def _word(inner: BaseException) -> str | None:
    """The code of an error that another one was made from; ``None`` where it only hands on a third."""
    row = _row(inner)
    if not isinstance(row, Ask):
        return row
    return (row.by(inner) if row.by else None) or (None if row.inside else row.otherwise)


def _row(error: BaseException) -> str | Ask | None:
    for kind in type(error).__mro__[:-3]:  # no row is for Exception, BaseException or object
        module, name = kind.__module__, kind.__qualname__
        row = TABLE.get(name if module == "builtins" else f"{module}.{name}")
        if row is not None:
            return row
    return None
