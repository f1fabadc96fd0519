"""The rules that give an error its code, in their order, and errors that do what they can to break them."""

from __future__ import annotations

import enum
import itertools
import sys
import warnings
from collections.abc import Callable, Iterator
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any

import aiohttp
import grpc
import httpx
import pytest
import requests
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

from otel_resilience import CircuitOpenError, ConfigurationError, DomainError, register_code
from otel_resilience.errors import codes
from otel_resilience.errors.codecs import error_info
from otel_resilience.errors.codes import code_of, grpc_status, http_status, is_retryable


@pytest.fixture(autouse=True)
def _registered_by_this_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codes, "_registered", {})


def told(error: Exception, **attributes: Any) -> Any:
    vars(error).update(attributes)
    return error


def trailing(reason: str) -> tuple[tuple[str, bytes], ...]:
    packed = AnyMessage()
    packed.Pack(ErrorInfo(reason=reason, domain="shop.com"))
    return ((error_info.KEY, Status(code=14, details=[packed]).SerializeToString()),)


class Rpc(grpc.RpcError):
    """As gRPC raises it: an error that is a call."""

    def __init__(self, metadata: object = ()) -> None:
        super().__init__()
        self._metadata = metadata

    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.UNAVAILABLE

    def trailing_metadata(self) -> object:
        return self._metadata


class Refused(ConnectionRefusedError): ...


def test_the_rules_in_their_order() -> None:
    """One error to which every rule applies, and then one rule after the other no more."""

    class Everything(Rpc, Refused): ...

    error = told(Everything(trailing("OUT_OF_STOCK")), error_code="OWN_ERROR_CODE", status=503)
    register_code(Everything, "REGISTERED")
    assert code_of(error) == "OWN_ERROR_CODE"
    error.error_code = "no code"
    error.code = "OWN_CODE"
    assert code_of(error) == "OWN_CODE"
    del error.code
    assert code_of(error) == "REGISTERED"
    codes._registered = {}
    assert code_of(error) == "OUT_OF_STOCK"
    error._metadata = ()
    assert code_of(error) == "UNAVAILABLE"
    error.code = None
    assert code_of(error) == "HTTP_503"
    error.status = None
    assert code_of(error) == "CONNECT_FAILED"
    assert code_of(told(Exception(), code=None, status=None)) == "INTERNAL"


class Kind(str, enum.Enum):  # noqa: UP042 - what applications have, and not what StrEnum is
    OUT_OF_STOCK = "OUT_OF_STOCK"


class Plain(enum.StrEnum):
    OUT_OF_STOCK = enum.auto()
    SOLD_OUT = "SOLD_OUT"


class Number503(int, enum.Enum):
    BUSY = 503


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (told(Exception(), error_code="CARD_DECLINED"), "CARD_DECLINED"),
        (told(Exception(), code="STOCK_EMPTY"), "STOCK_EMPTY"),
        (told(Exception(), code="NotACode"), "INTERNAL"),
        (told(Exception(), error_code=Kind.OUT_OF_STOCK), "OUT_OF_STOCK"),
        (told(Exception(), code=Plain.SOLD_OUT), "SOLD_OUT"),
        (told(Exception(), code=Plain.OUT_OF_STOCK), "INTERNAL"),
        (DomainError("OUT_OF_STOCK", "none left"), "OUT_OF_STOCK"),
        (DomainError(Kind.OUT_OF_STOCK, "none left"), "OUT_OF_STOCK"),
        (CircuitOpenError(), "CIRCUIT_OPEN"),
        (told(Exception(), code=404), "HTTP_404"),
        (told(Exception(), status=HTTPStatus.NOT_FOUND), "HTTP_404"),
        (told(Exception(), status_code=Number503.BUSY), "HTTP_503"),
        (told(Exception(), response=SimpleNamespace(status_code=503)), "HTTP_503"),
        (told(Exception(), response=SimpleNamespace(status=100), status=101), "HTTP_100"),
        (told(Exception(), trailing_metadata=trailing("OUT_OF_STOCK")), "OUT_OF_STOCK"),
        (told(Exception(), trailing_metadata=trailing("no code")), "INTERNAL"),
        (ValueError(), "INTERNAL"),
        (KeyboardInterrupt(), "INTERNAL"),
    ],
    ids=repr,
)
def test_codes(error: BaseException, code: str) -> None:
    found = code_of(error)
    assert found == code
    assert type(found) is str


def test_a_registered_code_is_a_plain_string_and_holds_for_subclasses() -> None:
    class Base(Exception): ...

    class Derived(Base): ...

    register_code(Base, Kind.OUT_OF_STOCK)
    assert code_of(Derived()) == "OUT_OF_STOCK"
    assert type(code_of(Derived())) is str
    register_code(Derived, "DERIVED_BROKEN")
    assert code_of(Derived()) == "DERIVED_BROKEN"
    assert code_of(Base()) == "OUT_OF_STOCK"


@pytest.mark.parametrize("code", ["", "lower", "1ST", "WITH SPACE", "X" * 64, "ÄRGER", None])
def test_a_code_of_another_form_is_refused(code: Any) -> None:
    with pytest.raises(ConfigurationError, match="UPPER_SNAKE"):
        register_code(ValueError, code)
    with pytest.raises(ConfigurationError, match="UPPER_SNAKE"):
        DomainError(code)


@pytest.mark.parametrize("kind", [int, "ValueError", ValueError(), None])
def test_a_code_is_registered_for_exception_types_only(kind: Any) -> None:
    with pytest.raises(ConfigurationError, match="exception type"):
        register_code(kind, "SOME_CODE")


def test_the_exceptions_own_word_decides_whether_a_retry_may_help() -> None:
    assert is_retryable(ConnectionRefusedError(), "CONNECT_FAILED")
    assert is_retryable(ValueError(), "DB_UNAVAILABLE")
    assert not is_retryable(ValueError(), "INTERNAL")
    assert not is_retryable(CircuitOpenError(), "CIRCUIT_OPEN")
    assert is_retryable(DomainError("BUSY", retryable=True), "BUSY")
    assert not is_retryable(DomainError("UNAVAILABLE"), "UNAVAILABLE")


def test_a_reason_is_retryable_where_the_status_that_it_came_with_is() -> None:
    error = Rpc(trailing("BACKEND_GONE"))
    assert code_of(error) == "BACKEND_GONE"
    assert is_retryable(error, code_of(error))
    assert not is_retryable(told(Rpc(), code=lambda: grpc.StatusCode.ABORTED), "BACKEND_GONE")
    assert not is_retryable(told(error, retryable=False), code_of(error))


def test_an_answer_that_is_raised_has_its_status_for_a_code() -> None:
    request = httpx.Request("GET", "http://ledger/")
    answered = httpx.Response(503, request=request)
    with pytest.raises(httpx.HTTPStatusError) as caught:
        answered.raise_for_status()
    assert code_of(caught.value) == "HTTP_503"
    response = requests.Response()
    response.status_code = 429
    with pytest.raises(requests.HTTPError) as refused:
        response.raise_for_status()
    assert code_of(refused.value) == "HTTP_429"


@pytest.mark.parametrize(("status", "code"), [(503, "HTTP_503"), (0, "INTERNAL")])
def test_aiohttps_old_name_of_the_status_is_left_alone(status: int, code: str) -> None:
    """Reading it warns; ``filterwarnings`` would not show that, as what a property raises is no answer."""
    error = aiohttp.ClientResponseError(SimpleNamespace(real_url="x"), (), status=status)  # type: ignore[arg-type]  # as much as it looks at
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert code_of(error) == code
        assert http_status(error) == (status or None)
        assert grpc_status(error) is None
    assert caught == []


@pytest.mark.parametrize("status", [99, 600, True, "503", None])
def test_what_is_no_http_status(status: object) -> None:
    assert http_status(SimpleNamespace(status_code=status)) is None


@pytest.mark.parametrize("status", [100, 599])
def test_what_is_an_http_status(status: int) -> None:
    assert http_status(SimpleNamespace(status=status)) == status


def raising(*_: object) -> Any:
    raise RuntimeError("not you")


class Property(ConnectionRefusedError):
    args = error_code = code = status = response = errno = property(raising)  # type: ignore[assignment]  # that is the point


class Getattr(ConnectionRefusedError):
    __getattribute__ = raising


class Liar(Exception):
    __class__ = property(raising)  # type: ignore[assignment]  # that is the point


class Method(Exception):
    def code(self) -> object:
        raise RuntimeError

    trailing_metadata = raising


class Text(str):
    __slots__ = ()

    isascii = __len__ = __eq__ = upper = raising  # type: ignore[assignment]  # that is the point
    __hash__ = str.__hash__


class Number(int):
    __ge__ = __le__ = __hash__ = raising  # type: ignore[assignment]  # that is the point


def cycle() -> Exception:
    first, second = requests.ConnectionError(), requests.ConnectionError()
    first.args, second.args = (second,), (first,)
    first.__cause__ = second
    return first


def deep() -> Exception:
    error: Exception = ConnectionResetError()
    for _ in range(sys.getrecursionlimit() * 2):
        error = requests.ConnectionError(error)
    return error


def endless() -> Iterator[tuple[str, bytes]]:
    return itertools.repeat(("key", b"value"))


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda: Property("x"), "CONNECT_FAILED"),
        (lambda: Getattr("x"), "CONNECT_FAILED"),
        (lambda: Liar("x"), "INTERNAL"),
        (lambda: Method("x"), "INTERNAL"),
        (lambda: requests.ConnectionError(Liar("x"), Getattr("x")), "CONNECT_FAILED"),
        (lambda: requests.ConnectionError(*range(1_000_000), ConnectionResetError()), "CONNECT_FAILED"),
        (lambda: told(Exception(), error_code=Text("SOLD_OUT")), "SOLD_OUT"),
        (lambda: told(Exception(), status=Number(503)), "INTERNAL"),
        (lambda: told(OSError(), errno=Number(113)), "INTERNAL"),
        (cycle, "CONNECT_FAILED"),
        (deep, "CONNECT_FAILED"),
        (lambda: Rpc(endless()), "UNAVAILABLE"),
        (lambda: Rpc(7), "UNAVAILABLE"),
        (lambda: Rpc([(error_info.KEY, b"\xff" * 9000)]), "UNAVAILABLE"),
        (lambda: told(Exception(), error_code="A" * 10_000_000), "INTERNAL"),
        (lambda: ExceptionGroup("x", [ConnectionRefusedError()] * 3), "INTERNAL"),
    ],
)
def test_an_error_that_resists_has_a_code_all_the_same(make: Callable[[], Exception], code: str) -> None:
    error = make()
    assert code_of(error) == code
    assert isinstance(is_retryable(error, code), bool)


def test_errors_of_a_group_are_looked_into_where_a_library_wraps_one() -> None:
    refused = ExceptionGroup("all attempts failed", [OSError("x"), ConnectionResetError()])
    assert code_of(requests.ConnectionError(refused)) == "CONNECTION_LOST"
