"""The code table, with the errors that the libraries themselves raise wherever they can be had."""

from __future__ import annotations

import socket
import sqlite3
import ssl
from contextlib import closing
from pathlib import Path

import pytest

from otel_resilience import CircuitOpenError, ConfigurationError, DomainError, register_code
from otel_resilience.errors.codes import code_of, grpc_status, http_status, is_retryable


class Coded(Exception):
    error_code = "CARD_DECLINED"


class CodedByCode(Exception):
    code = "STOCK_EMPTY"


class ShoutsAClassName(Exception):
    code = "NotACode"


class HttpLike(Exception):
    code = 404


class Answer:
    status_code = 503


class WithResponse(Exception):
    response = Answer()


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Coded(), "CARD_DECLINED"),
        (CodedByCode(), "STOCK_EMPTY"),
        (ShoutsAClassName(), "INTERNAL"),
        (DomainError("OUT_OF_STOCK", "none left"), "OUT_OF_STOCK"),
        (CircuitOpenError(), "CIRCUIT_OPEN"),
        (HttpLike(), "HTTP_404"),
        (WithResponse(), "HTTP_503"),
        (ConnectionRefusedError(), "CONNECT_FAILED"),
        (ConnectionResetError(), "CONNECTION_LOST"),
        (socket.gaierror(), "DNS_FAILED"),
        (TimeoutError(), "READ_TIMEOUT"),
        (ssl.SSLCertVerificationError(), "TLS_FAILED"),
        (sqlite3.OperationalError("unable to open database file"), "DB_UNAVAILABLE"),
        (sqlite3.IntegrityError(), "DB_CONFLICT"),
        (ValueError(), "INTERNAL"),
    ],
    ids=repr,
)
def test_codes(error: Exception, code: str) -> None:
    assert code_of(error) == code


def test_sqlite_itself(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError) as gone:
        sqlite3.connect(f"file:{tmp_path}/gone.db?mode=rw", uri=True)
    assert code_of(gone.value) == "DB_UNAVAILABLE"
    connection = sqlite3.connect(tmp_path / "here.db")
    with pytest.raises(sqlite3.OperationalError) as no_table:
        connection.execute("select * from nothing")
    assert code_of(no_table.value) == "INTERNAL"
    connection.execute("create table t (x)")
    connection.execute("begin exclusive")
    with (
        closing(sqlite3.connect(tmp_path / "here.db", timeout=0)) as other,
        pytest.raises(sqlite3.OperationalError) as locked,
    ):
        other.execute("select * from t")
    assert code_of(locked.value) == "DB_CONFLICT"
    connection.close()


def test_requests_tells_apart_what_lies_below_http() -> None:
    import requests

    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    with pytest.raises(requests.ConnectionError) as refused:
        requests.get(f"http://127.0.0.1:{port}/", timeout=5)
    assert code_of(refused.value) == "CONNECT_FAILED"
    with pytest.raises(requests.ConnectionError) as unknown:
        requests.get("http://no-such-host.invalid/", timeout=5)
    assert code_of(unknown.value) == "DNS_FAILED"
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        with pytest.raises(requests.ReadTimeout) as silent:
            requests.get(f"http://127.0.0.1:{deaf.getsockname()[1]}/", timeout=0.05)
    assert code_of(silent.value) == "READ_TIMEOUT"


async def test_httpx_tells_apart_what_lies_below_http() -> None:
    import httpx

    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    async with httpx.AsyncClient() as client:
        with pytest.raises(httpx.ConnectError) as refused:
            await client.get(f"http://127.0.0.1:{port}/")
        assert code_of(refused.value) == "CONNECT_FAILED"
        with pytest.raises(httpx.ConnectError) as unknown:
            await client.get("http://no-such-host.invalid/")
        assert code_of(unknown.value) == "DNS_FAILED"


def test_grpc_status_names() -> None:
    import grpc

    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel, pytest.raises(grpc.RpcError) as unavailable:
        channel.unary_unary("/shop.v1.Payments/Charge")(b"", timeout=5)
    assert code_of(unavailable.value) == grpc_status(unavailable.value) == "UNAVAILABLE"


def test_a_registered_code_holds_for_subclasses_and_after_the_exceptions_own() -> None:
    class Base(Exception): ...

    class Derived(Base): ...

    register_code(Base, "BASE_BROKEN")
    assert code_of(Derived()) == "BASE_BROKEN"
    register_code(Derived, "DERIVED_BROKEN")
    assert code_of(Derived()) == "DERIVED_BROKEN"
    register_code(Coded, "NEVER_SEEN")
    assert code_of(Coded()) == "CARD_DECLINED"


@pytest.mark.parametrize("code", ["", "lower", "1ST", "WITH SPACE", "X" * 64, "ÄRGER", None])
def test_a_code_of_another_form_is_refused(code: str) -> None:
    with pytest.raises(ConfigurationError, match="UPPER_SNAKE"):
        register_code(ValueError, code)
    with pytest.raises(ConfigurationError, match="UPPER_SNAKE"):
        DomainError(code)


def test_the_exceptions_own_word_decides_whether_a_retry_may_help() -> None:
    assert is_retryable(ConnectionRefusedError(), "CONNECT_FAILED")
    assert is_retryable(ValueError(), "DB_UNAVAILABLE")
    assert not is_retryable(ValueError(), "INTERNAL")
    assert not is_retryable(CircuitOpenError(), "CIRCUIT_OPEN")
    assert is_retryable(DomainError("BUSY", retryable=True), "BUSY")
    assert not is_retryable(DomainError("UNAVAILABLE"), "UNAVAILABLE")


def test_a_code_method_that_raises_is_no_grpc_status() -> None:
    class Odd(Exception):
        def code(self) -> object:
            raise RuntimeError

    assert grpc_status(Odd()) is None
    assert code_of(Odd()) == "INTERNAL"


@pytest.mark.parametrize("status", [99, 600, True, "503", None])
def test_what_is_no_http_status(status: object) -> None:
    class Other:
        status_code = status

    assert http_status(Other()) is None
