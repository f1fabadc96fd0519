"""What an error says beside its class: an errno, a SQLSTATE, the errors that it was made from.

A reader answers ``None`` where an error says no more than its class does.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeGuard

from otel_resilience.errors.peek import peek

Reader = Callable[[BaseException], str | None]


@dataclass(frozen=True, slots=True)
class Ask:
    """A row of the table for a class that says too little: what the error itself says goes before ``otherwise``.

    ``by`` reads the error; where that says nothing and ``inside`` is set, the errors that it was made from are looked
    up in the table.
    """

    otherwise: str | None
    by: Reader | None = None
    inside: bool = False


#: Errors of the operating system for which Python has no class of their own, and the timeout of a connect.
BY_ERRNO = {
    errno.ENETUNREACH: "CONNECT_FAILED",
    errno.EHOSTUNREACH: "CONNECT_FAILED",
    errno.ENETDOWN: "CONNECT_FAILED",
    errno.EHOSTDOWN: "CONNECT_FAILED",
    errno.EADDRNOTAVAIL: "CONNECT_FAILED",  # no local port is left to connect from
    # The operating system's own patience; a time limit of the program's sets no errno.
    errno.ETIMEDOUT: "CONNECT_TIMEOUT",
}

#: By SQLSTATE, else by its class, the first two characters (ISO 9075; PostgreSQL, appendix A). Any other is INTERNAL:
#: the statement, the account or the schema is wrong, and stays so.
BY_SQLSTATE = {
    "08": "DB_UNAVAILABLE",  # connection
    "23": "DB_CONFLICT",  # constraint
    "25006": "DB_UNAVAILABLE",  # read only: this was the primary before a failover
    "25P03": "DB_TIMEOUT",  # idle in a transaction
    "25P04": "DB_TIMEOUT",  # a transaction's own limit
    "40": "DB_CONFLICT",  # rolled back: serialization, deadlock
    "53": "DB_UNAVAILABLE",  # connections, memory, disk
    "55006": "DB_CONFLICT",  # object in use
    "55P03": "DB_CONFLICT",  # lock not available
    "57": "DB_UNAVAILABLE",  # shutdown, start, recovery
    "57014": "DB_TIMEOUT",  # cancelled, as statement_timeout does
    "58": "DB_UNAVAILABLE",  # its disk or its operating system
}

#: By SQLite's primary result code. Any other is INTERNAL: a syntax error, a missing table.
BY_SQLITE_RESULT = {
    "SQLITE_BUSY": "DB_CONFLICT",
    "SQLITE_LOCKED": "DB_CONFLICT",
    "SQLITE_INTERRUPT": "DB_TIMEOUT",
    "SQLITE_CANTOPEN": "DB_UNAVAILABLE",
    "SQLITE_CORRUPT": "DB_UNAVAILABLE",
    "SQLITE_FULL": "DB_UNAVAILABLE",
    "SQLITE_IOERR": "DB_UNAVAILABLE",
    "SQLITE_NOMEM": "DB_UNAVAILABLE",
    "SQLITE_NOTADB": "DB_UNAVAILABLE",
    "SQLITE_PROTOCOL": "DB_UNAVAILABLE",
    "SQLITE_READONLY": "DB_UNAVAILABLE",
}

#: By the first word of an answer of Redis for which its client has no class.
BY_REDIS_REPLY = {
    "BUSY": "DB_UNAVAILABLE",  # a script runs and nothing else does
    "MISCONF": "DB_UNAVAILABLE",  # cannot write to its disk
    "NOREPLICAS": "DB_UNAVAILABLE",
}


def errno_code(error: BaseException) -> str | None:
    number = peek(error, "errno")
    return BY_ERRNO.get(number) if isinstance(number, int) else None


def sqlstate_code(error: object) -> str | None:
    """By ``sqlstate`` (psycopg, asyncpg) or ``pgcode`` (psycopg2)."""
    state = peek(error, "sqlstate") or peek(error, "pgcode")
    if not isinstance(state, str):
        return None
    return BY_SQLSTATE.get(state) or BY_SQLSTATE.get(state[:2]) or "INTERNAL"


def sqlite_code(error: BaseException) -> str | None:
    name = peek(error, "sqlite_errorname")
    if not isinstance(name, str):
        return None
    # Extended result codes begin with the primary one: SQLITE_BUSY_SNAPSHOT, SQLITE_CANTOPEN_ISDIR.
    return BY_SQLITE_RESULT.get("_".join(name.split("_", 2)[:2]), "INTERNAL")


def sqlalchemy_code(error: BaseException) -> str | None:
    """By what SQLAlchemy knows of drivers that the table does not have."""
    if peek(error, "connection_invalidated") is True:
        return "DB_UNAVAILABLE"
    return sqlstate_code(peek(error, "orig"))


def redis_code(error: BaseException) -> str | None:
    said = peek(error, "args")
    first = said[0] if isinstance(said, tuple) and said else None
    return BY_REDIS_REPLY.get(first[:32].partition(" ")[0]) if isinstance(first, str) else None


def unresolved(error: BaseException) -> str | None:
    """urllib3 before 2.0 has no class for a name that does not resolve: the error is raised while one is handled."""
    kind = type(peek(error, "__context__"))
    return "DNS_FAILED" if (kind.__module__, kind.__qualname__) == ("socket", "gaierror") else None


def connect_timed_out(error: BaseException) -> str | None:
    """``urllib.request`` wraps what happens before an answer is waited for."""
    return "CONNECT_TIMEOUT" if isinstance(peek(error, "reason"), TimeoutError) else None


_MOST_VISITED = 16
_MOST_ARGUMENTS = 8


def made_from(error: BaseException) -> Iterator[BaseException]:
    """The errors that ``error`` was made from, by the word of whoever made it; nearest first, bounded, cycles end.

    ``__context__`` is not among them: it may be a failure that was being handled when this one began.
    """
    found = [error]
    for known in found:
        for inner in _links(known):
            if not _is_error(inner) or any(inner is seen for seen in found):
                continue
            if len(found) == _MOST_VISITED:
                return
            found.append(inner)
            yield inner


def _is_error(x: object) -> TypeGuard[BaseException]:
    # By the type, as ``__class__`` is an attribute that may be anybody's.
    return issubclass(type(x), BaseException)


def _links(error: BaseException) -> Iterator[object]:
    for several in ("args", "exceptions"):  # the second: the members of a group
        values = peek(error, several)
        if isinstance(values, tuple):
            yield from values[:_MOST_ARGUMENTS]
    for name in ("reason", "orig", "__cause__"):
        yield peek(error, name)
