"""What database drivers raise, themselves and inside SQLAlchemy, for a database that is away, slow or unwilling."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import psycopg
import psycopg2
import psycopg_pool
import pytest
import sqlalchemy
from sqlalchemy import exc, orm

from otel_resilience.errors.codes import code_of
from tests.errors import loopback
from tests.errors.fake_databases import postgres_failing

#: Without the questions about TLS and Kerberos that a client begins with.
PLAINLY = "user=u dbname=d sslmode=disable gssencmode=disable connect_timeout=10"


def _psycopg(port: int) -> object:
    with psycopg.connect(f"host=127.0.0.1 port={port} {PLAINLY}") as connection:
        return connection.execute("select 1")


def _async_psycopg(port: int) -> object:
    async def call() -> object:
        connection = await psycopg.AsyncConnection.connect(f"host=127.0.0.1 port={port} {PLAINLY}")
        async with connection:
            return await connection.execute("select 1")

    return asyncio.run(call())


def _psycopg2(port: int) -> object:
    with closing(psycopg2.connect(f"host=127.0.0.1 port={port} {PLAINLY}")) as connection:
        return connection.cursor().execute("select 1")


def _sqlalchemy(driver: str, port: int) -> object:
    url = f"postgresql+{driver}://u@127.0.0.1:{port}/d?sslmode=disable&gssencmode=disable&connect_timeout=10"
    engine = sqlalchemy.create_engine(url)
    try:
        with engine.connect() as connection:
            return connection.execute(sqlalchemy.text("select 1"))
    finally:
        engine.dispose()


POSTGRES: dict[str, Callable[[int], object]] = {
    "psycopg": _psycopg,
    "psycopg async": _async_psycopg,
    "psycopg2": _psycopg2,
    "SQLAlchemy, psycopg": partial(_sqlalchemy, "psycopg"),
    "SQLAlchemy, psycopg2": partial(_sqlalchemy, "psycopg2"),
}


def failure(call: Callable[..., object], *args: Any) -> Exception:
    """What ``call`` raises; each driver has its own."""
    try:
        call(*args)
    except Exception as error:
        return error
    raise AssertionError("the database answered")


@pytest.mark.parametrize("driver", POSTGRES)
def test_a_database_that_is_not_there(driver: str) -> None:
    with loopback.refusing() as port:
        assert code_of(failure(POSTGRES[driver], port)) == "DB_UNAVAILABLE"
    with loopback.serving(loopback.closing) as port:
        assert code_of(failure(POSTGRES[driver], port)) == "DB_UNAVAILABLE"
    with loopback.serving(postgres_failing("57P03", at_once=True)) as port:
        assert code_of(failure(POSTGRES[driver], port)) == "DB_UNAVAILABLE"


@pytest.mark.parametrize("driver", POSTGRES)
@pytest.mark.parametrize(
    ("sqlstate", "code"),
    [
        ("08006", "DB_UNAVAILABLE"),
        ("23505", "DB_CONFLICT"),
        ("25006", "DB_UNAVAILABLE"),
        ("40001", "DB_CONFLICT"),
        ("40P01", "DB_CONFLICT"),
        ("42601", "INTERNAL"),
        ("53300", "DB_UNAVAILABLE"),
        ("55P03", "DB_CONFLICT"),
        ("57014", "DB_TIMEOUT"),
        ("57P01", "DB_UNAVAILABLE"),
    ],
)
def test_a_statement_that_fails(driver: str, sqlstate: str, code: str) -> None:
    with loopback.serving(postgres_failing(sqlstate)) as port:
        assert code_of(failure(POSTGRES[driver], port)) == code


def test_a_connection_that_was_lost_before() -> None:
    with loopback.serving(postgres_failing("08006")) as port:
        lost = psycopg.connect(f"host=127.0.0.1 port={port} {PLAINLY}")
        lost.close()
        assert code_of(failure(lost.execute, "select 1")) == "DB_UNAVAILABLE"
        lost2 = psycopg2.connect(f"host=127.0.0.1 port={port} {PLAINLY}")
        lost2.close()
        assert code_of(failure(lost2.cursor)) == "DB_UNAVAILABLE"


def test_the_pool_of_psycopg() -> None:
    with loopback.refusing() as port:
        pool = psycopg_pool.ConnectionPool(
            f"host=127.0.0.1 port={port} {PLAINLY}", min_size=1, timeout=0.1, open=True
        )
        with pool, pytest.raises(psycopg_pool.PoolTimeout) as caught:
            pool.getconn()
    assert code_of(caught.value) == "DB_UNAVAILABLE"


def test_the_pool_of_sqlalchemy(tmp_path: Path) -> None:
    engine = sqlalchemy.create_engine(
        f"sqlite:///{tmp_path}/a.db",
        poolclass=sqlalchemy.QueuePool,
        pool_size=1,
        max_overflow=0,
        pool_timeout=0.01,
    )
    with engine.connect(), pytest.raises(exc.TimeoutError) as caught:
        engine.connect()
    engine.dispose()
    assert code_of(caught.value) == "POOL_EXHAUSTED"


class Row(orm.DeclarativeBase):
    """The base of what the test maps."""


class Account(Row):
    __tablename__ = "account"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    version: orm.Mapped[int] = orm.mapped_column()
    owner: orm.Mapped[str]
    __mapper_args__: ClassVar = {"version_id_col": version}


def test_two_sessions_that_change_one_row(tmp_path: Path) -> None:
    engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path}/a.db")
    Row.metadata.create_all(engine)
    sessions = orm.sessionmaker(engine, expire_on_commit=False)
    with sessions() as first, sessions() as second:
        first.add(Account(id=1, owner="a"))
        first.commit()
        stale = second.get_one(Account, 1)
        second.commit()
        first.get_one(Account, 1).owner = "b"
        first.commit()
        stale.owner = "c"
        with pytest.raises(orm.exc.StaleDataError) as caught:
            second.commit()
    engine.dispose()
    assert code_of(caught.value) == "DB_CONFLICT"


def codes_of(connection: sqlite3.Connection, statement: str) -> tuple[str, str]:
    """Of SQLite's own error, and of the same one inside SQLAlchemy."""

    def inside() -> None:
        engine = sqlalchemy.create_engine(
            "sqlite://", creator=lambda: connection, poolclass=sqlalchemy.StaticPool
        )
        with engine.connect() as wrapping:
            wrapping.execute(sqlalchemy.text(statement))

    own = failure(connection.execute, statement)
    connection.rollback()
    wrapped = failure(inside)
    assert isinstance(wrapped, exc.DBAPIError)
    return code_of(own), code_of(wrapped)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection:
        connection.execute("create table t (x unique)")
        connection.execute("insert into t values (1)")
        connection.commit()
        yield connection


def both(code: str) -> tuple[str, str]:
    return code, code


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("select * from nothing", "INTERNAL"),
        ("no statement", "INTERNAL"),
        ("insert into t values (1)", "DB_CONFLICT"),
    ],
)
def test_a_statement_that_sqlite_refuses(ledger: sqlite3.Connection, statement: str, code: str) -> None:
    assert codes_of(ledger, statement) == both(code)


def test_sqlite_locked_by_another(ledger: sqlite3.Connection, tmp_path: Path) -> None:
    ledger.execute("begin exclusive")
    with closing(sqlite3.connect(tmp_path / "ledger.db", timeout=0)) as other:
        assert codes_of(other, "select * from t") == both("DB_CONFLICT")


def test_sqlite_interrupted(ledger: sqlite3.Connection) -> None:
    ledger.set_progress_handler(lambda: 1, 1)
    assert codes_of(ledger, "select * from t") == both("DB_TIMEOUT")


def test_sqlite_full(ledger: sqlite3.Connection) -> None:
    ledger.execute("pragma max_page_count = 1")
    assert codes_of(ledger, "insert into t values (randomblob(1000000))") == both("DB_UNAVAILABLE")


def test_sqlite_read_only(ledger: sqlite3.Connection, tmp_path: Path) -> None:
    with closing(sqlite3.connect(f"file:{tmp_path}/ledger.db?mode=ro", uri=True)) as read_only:
        assert codes_of(read_only, "insert into t values (2)") == both("DB_UNAVAILABLE")


def test_no_database_of_sqlites(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("no database " * 100)
    with closing(sqlite3.connect(tmp_path / "text.db")) as garbage:
        assert codes_of(garbage, "select * from t") == both("DB_UNAVAILABLE")
    gone = failure(partial(sqlite3.connect, uri=True), f"file:{tmp_path}/gone.db?mode=rw")
    assert code_of(gone) == "DB_UNAVAILABLE"
