"""Errors of sqlite3, psycopg, psycopg2, SQLAlchemy and redis."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import partial

import psycopg
import psycopg2.errors
import psycopg_pool
from redis import exceptions as redis
from sqlalchemy import exc as sqlalchemy
from sqlalchemy.orm.exc import StaleDataError

from tests.errors.kinds.kind import Kind, caused


def _sqlite_error(kind: type[sqlite3.Error], result: str) -> Exception:
    error = kind("as SQLite says")
    error.sqlite_errorname = result
    return error


def _sqlite(kind: type[sqlite3.Error], result: str, code: str) -> Kind:
    return Kind(f"sqlite3.{kind.__name__}", code, partial(_sqlite_error, kind, result), result)


_SQLITE = [
    Kind("sqlite3.OperationalError", "DB_UNAVAILABLE", sqlite3.OperationalError),
    _sqlite(sqlite3.OperationalError, "SQLITE_BUSY", "DB_CONFLICT"),
    _sqlite(sqlite3.OperationalError, "SQLITE_BUSY_SNAPSHOT", "DB_CONFLICT"),
    _sqlite(sqlite3.OperationalError, "SQLITE_LOCKED", "DB_CONFLICT"),
    _sqlite(sqlite3.OperationalError, "SQLITE_INTERRUPT", "DB_TIMEOUT"),
    _sqlite(sqlite3.OperationalError, "SQLITE_CANTOPEN", "DB_UNAVAILABLE"),
    _sqlite(sqlite3.OperationalError, "SQLITE_FULL", "DB_UNAVAILABLE"),
    _sqlite(sqlite3.OperationalError, "SQLITE_IOERR_READ", "DB_UNAVAILABLE"),
    _sqlite(sqlite3.OperationalError, "SQLITE_NOMEM", "DB_UNAVAILABLE"),
    _sqlite(sqlite3.OperationalError, "SQLITE_PROTOCOL", "DB_UNAVAILABLE"),
    _sqlite(sqlite3.OperationalError, "SQLITE_READONLY", "DB_UNAVAILABLE"),
    _sqlite(sqlite3.OperationalError, "SQLITE_ERROR", "INTERNAL"),
    Kind("sqlite3.DatabaseError", "INTERNAL", sqlite3.ProgrammingError),
    _sqlite(sqlite3.DatabaseError, "SQLITE_CORRUPT", "DB_UNAVAILABLE"),
    _sqlite(sqlite3.DatabaseError, "SQLITE_NOTADB", "DB_UNAVAILABLE"),
    _sqlite(sqlite3.DatabaseError, "SQLITE_AUTH", "INTERNAL"),
    Kind("sqlite3.IntegrityError", "DB_CONFLICT", sqlite3.IntegrityError),
]

#: A SQLSTATE, the class of DB-API that a driver gives it, and its code.
_STATES = [
    ("08006", "OperationalError", "DB_UNAVAILABLE"),
    ("22012", "Error", "INTERNAL"),
    ("23505", "IntegrityError", "DB_CONFLICT"),
    ("25006", "Error", "DB_UNAVAILABLE"),
    ("25P03", "Error", "DB_TIMEOUT"),
    ("28P01", "OperationalError", "INTERNAL"),
    ("40001", "OperationalError", "DB_CONFLICT"),
    ("40P01", "OperationalError", "DB_CONFLICT"),
    ("42601", "Error", "INTERNAL"),
    ("53300", "OperationalError", "DB_UNAVAILABLE"),
    ("55006", "OperationalError", "DB_CONFLICT"),
    ("55P03", "OperationalError", "DB_CONFLICT"),
    ("57014", "OperationalError", "DB_TIMEOUT"),
    ("57P01", "OperationalError", "DB_UNAVAILABLE"),
    ("57P03", "OperationalError", "DB_UNAVAILABLE"),
    ("58030", "OperationalError", "DB_UNAVAILABLE"),
]


def _psycopg(state: str) -> Exception:
    return psycopg.errors.lookup(state)("as the server says")


def _psycopg2(state: str) -> Exception:
    error = psycopg2.errors.lookup(state)("as the server says")
    error.__setstate__({"pgcode": state})  # else it is set only by what comes from a server
    return error


_PSYCOPG = [
    Kind("psycopg.OperationalError", "DB_UNAVAILABLE", psycopg.OperationalError),
    Kind("psycopg.OperationalError", "DB_UNAVAILABLE", psycopg_pool.PoolTimeout, "PoolTimeout"),
    Kind("psycopg_pool.TooManyRequests", "POOL_EXHAUSTED", psycopg_pool.TooManyRequests),
    Kind("psycopg.Error", "DB_TIMEOUT", partial(_psycopg, "25P04"), "25P04"),  # of PostgreSQL 17
    *(Kind(f"psycopg.{row}", code, partial(_psycopg, state), state) for state, row, code in _STATES),
    Kind("psycopg2.OperationalError", "DB_UNAVAILABLE", psycopg2.OperationalError),
    Kind("psycopg2.InterfaceError", "DB_UNAVAILABLE", psycopg2.InterfaceError),
    *(Kind(f"psycopg2.{row}", code, partial(_psycopg2, state), state) for state, row, code in _STATES),
]


class _DriverError(Exception):
    """Of a driver that the table does not know; asyncpg is handed on with its SQLSTATE like this."""

    def __init__(self, sqlstate: str | None = None) -> None:
        super().__init__("as the driver says")
        self.sqlstate = sqlstate


def _wrapped(
    kind: type[sqlalchemy.DBAPIError],
    code: str,
    detail: str = "",
    orig: Callable[[], Exception] = _DriverError,
    lost: bool = False,
) -> Kind:
    return Kind(
        f"sqlalchemy.exc.{kind.__name__}",
        code,
        lambda: kind("select 1", {}, orig(), connection_invalidated=lost),
        detail,
    )


_SQLALCHEMY = [
    _wrapped(sqlalchemy.DBAPIError, "INTERNAL"),
    _wrapped(sqlalchemy.DBAPIError, "DB_UNAVAILABLE", "lost", lost=True),
    _wrapped(sqlalchemy.DBAPIError, "DB_CONFLICT", "40001", partial(_DriverError, "40001")),
    _wrapped(sqlalchemy.OperationalError, "DB_UNAVAILABLE"),
    _wrapped(sqlalchemy.OperationalError, "DB_CONFLICT", "psycopg", partial(_psycopg, "40P01")),
    _wrapped(sqlalchemy.OperationalError, "DB_TIMEOUT", "psycopg2", partial(_psycopg2, "57014")),
    _wrapped(
        sqlalchemy.OperationalError,
        "INTERNAL",
        "sqlite3",
        partial(_sqlite_error, sqlite3.OperationalError, "SQLITE_ERROR"),
    ),
    _wrapped(sqlalchemy.IntegrityError, "DB_CONFLICT"),
    _wrapped(sqlalchemy.IntegrityError, "DB_CONFLICT", "23505", partial(_DriverError, "23505")),
    Kind("sqlalchemy.exc.DisconnectionError", "DB_UNAVAILABLE", sqlalchemy.DisconnectionError),
    Kind("sqlalchemy.exc.TimeoutError", "POOL_EXHAUSTED", sqlalchemy.TimeoutError),
    Kind("sqlalchemy.orm.exc.StaleDataError", "DB_CONFLICT", StaleDataError),
]


def _redis(kind: type[Exception], code: str, said: str = "x", row: str = "", detail: str = "") -> Kind:
    return Kind(f"redis.exceptions.{row or kind.__name__}", code, partial(kind, said), detail)


def _cluster_away() -> Exception:
    return caused(redis.RedisClusterException("cannot be connected"), redis.ConnectionError("refused"))


_REDIS = [
    _redis(redis.ConnectionError, "DB_UNAVAILABLE"),
    _redis(redis.BusyLoadingError, "DB_UNAVAILABLE", row="ConnectionError", detail="loading"),
    _redis(redis.AuthenticationError, "INTERNAL"),
    _redis(redis.AuthorizationError, "INTERNAL"),
    _redis(redis.MaxConnectionsError, "POOL_EXHAUSTED"),
    _redis(redis.TimeoutError, "DB_TIMEOUT"),
    _redis(redis.ResponseError, "INTERNAL", "WRONGTYPE Operation against a key"),
    _redis(redis.ResponseError, "DB_UNAVAILABLE", "BUSY Redis is busy running a script.", detail="BUSY"),
    _redis(redis.ResponseError, "DB_UNAVAILABLE", "MISCONF Redis is configured to save", detail="MISCONF"),
    _redis(redis.ResponseError, "DB_UNAVAILABLE", "NOREPLICAS Not enough", detail="NOREPLICAS"),
    _redis(redis.ReadOnlyError, "DB_UNAVAILABLE"),
    _redis(redis.OutOfMemoryError, "DB_UNAVAILABLE"),
    _redis(redis.TryAgainError, "DB_UNAVAILABLE"),
    _redis(redis.ClusterDownError, "DB_UNAVAILABLE", row="ClusterError"),
    _redis(redis.SlotNotCoveredError, "DB_UNAVAILABLE"),
    _redis(redis.RedisClusterException, "INTERNAL"),
    Kind("redis.exceptions.RedisClusterException", "DB_UNAVAILABLE", _cluster_away, "away"),
    _redis(redis.WatchError, "DB_CONFLICT"),
    _redis(redis.LockNotOwnedError, "DB_CONFLICT", row="LockError"),
]

KINDS = [*_SQLITE, *_PSYCOPG, *_SQLALCHEMY, *_REDIS]
