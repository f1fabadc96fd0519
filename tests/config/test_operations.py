"""Operations: what a key says, and which of several is the most specific."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_resilience.config.operations import (
    GrpcOperation,
    HttpOperation,
    Operations,
    path_segments,
    read_operation,
)


def operations(*texts: str) -> Operations:
    keys = [read_operation(text) for text in texts]
    return Operations([key for key in keys if key is not None])


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("GET /", HttpOperation("GET /", "GET", (), False)),
        ("POST /a/{id}/b", HttpOperation("POST /a/{id}/b", "POST", ("a", None, "b"), False)),
        ("* /a/**", HttpOperation("* /a/**", "*", ("a",), True)),
        ("GET /**", HttpOperation("GET /**", "GET", (), True)),
        ("GET /a/", HttpOperation("GET /a/", "GET", ("a", ""), False)),
        ("GET /a%20b", HttpOperation("GET /a%20b", "GET", ("a b",), False)),
        ("M-SEARCH /a", HttpOperation("M-SEARCH /a", "M-SEARCH", ("a",), False)),
        ("Charge", GrpcOperation("Charge", None, "Charge")),
        ("shop.v1.Payments/Charge", GrpcOperation("shop.v1.Payments/Charge", "shop.v1.Payments", "Charge")),
    ],
)
def test_keys(text: str, key: HttpOperation | GrpcOperation) -> None:
    assert read_operation(text) == key


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*",
        "/charge",
        "get /x",
        "GET x",
        "GET  /x",
        "GET /x ",
        "GET /x?y=1",
        "GET /x#y",
        "GET /**/x",
        "GET /a/*",
        "GET /v{n}",
        "GET /{}",
        "GET /{a}b",
        "GET /a**",
        "/shop.v1.Payments/Charge",
        "shop.v1.Payments/",
        "shop/v1/Charge",
        "shop.v1.Payments/*",
        "GET\t/x",
    ],
)
def test_what_is_no_key(text: str) -> None:
    assert read_operation(text) is None


_MANY = (
    "* /**",
    "GET /**",
    "* /accounts/**",
    "GET /accounts/{id}",
    "* /accounts/{id}",
    "GET /accounts/me",
    "* /accounts/you",
    "GET /accounts/{id}/items/**",
    "GET /{kind}/me",
    "GET /",
)


@pytest.mark.parametrize(
    ("method", "path", "found"),
    [
        ("GET", "/", "GET /"),
        ("GET", "", "GET /"),
        ("POST", "/", "* /**"),
        ("GET", "/x", "GET /**"),
        ("POST", "/x/y", "* /**"),
        ("GET", "/accounts", "* /accounts/**"),
        ("GET", "/accounts/", "* /accounts/**"),
        ("GET", "/accounts/42", "GET /accounts/{id}"),
        ("get", "/accounts/42", "GET /accounts/{id}"),
        ("PUT", "/accounts/42", "* /accounts/{id}"),
        ("GET", "/accounts/me", "GET /accounts/me"),
        ("GET", "/accounts/me?x=/accounts/42", "GET /accounts/me"),
        ("GET", "/accounts/%6De", "GET /accounts/me"),
        # A path that is more specific goes before a method that is.
        ("GET", "/accounts/you", "* /accounts/you"),
        ("GET", "/accounts/a%2Fb", "GET /accounts/{id}"),
        ("GET", "/accounts/42/items", "GET /accounts/{id}/items/**"),
        ("GET", "/accounts/42/items/7/8", "GET /accounts/{id}/items/**"),
        ("GET", "/accounts/42/other", "* /accounts/**"),
        ("GET", "/things/me", "GET /{kind}/me"),
        ("GET", "/Accounts/me", "GET /{kind}/me"),
    ],
)
def test_the_most_specific_http_operation_wins(method: str, path: str, found: str) -> None:
    assert operations(*_MANY).find_http(method, path) == found
    assert operations(*reversed(_MANY)).find_http(method, path) == found


@pytest.mark.parametrize(
    ("path", "operation", "matches"),
    [
        ("/a", "GET /a", True),
        ("/a/", "GET /a", False),
        ("/a/", "GET /a/", True),
        ("/a//b", "GET /a/{x}/b", False),
        ("/a/x/b", "GET /a/{x}/b", True),
        ("/ab", "GET /a/**", False),
    ],
)
def test_edges_of_paths(path: str, operation: str, matches: bool) -> None:
    assert operations(operation).find_http("GET", path) == (operation if matches else None)


@pytest.mark.parametrize(
    ("service", "method", "found"),
    [
        ("shop.v1.Payments", "Charge", "shop.v1.Payments/Charge"),
        ("shop.v2.Payments", "Charge", "Charge"),
        ("shop.v1.Payments", "Refund", "shop.v1.Payments/Refund"),
        ("shop.v2.Payments", "Refund", None),
        ("shop.v1.Payments", "charge", None),
    ],
)
def test_the_longer_grpc_operation_wins(service: str, method: str, found: str | None) -> None:
    known = operations("Charge", "shop.v1.Payments/Charge", "shop.v1.Payments/Refund", "POST /charge")
    assert known.find_grpc(service, method) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("GET /accounts/42", "GET /accounts/{id}"),
        ("GET /x", None),
        ("shop.v1.Payments/Charge", "Charge"),
        ("/shop.v1.Payments/Charge", "Charge"),
        ("Charge", "Charge"),
        ("", None),
    ],
)
def test_an_operation_is_found_by_a_call_of_it(text: str, found: str | None) -> None:
    assert operations("GET /accounts/{id}", "Charge").find(text) == found


@given(st.text(), st.text())
def test_any_request_is_looked_up_without_raising(method: str, path: str) -> None:
    assert operations("* /**").find_http(method, path) == "* /**"


@given(
    st.lists(st.sampled_from(["a", "b", "{x}", "{y}"]), max_size=4),
    st.booleans(),
    st.lists(st.sampled_from("abc"), max_size=5),
)
def test_an_operation_matches_as_its_words_say(template: list[str], rest: bool, path: list[str]) -> None:
    text = "GET /" + "/".join([*template, *(["**"] if rest else [])])
    expected = (len(path) == len(template) or (rest and len(path) > len(template))) and all(
        wanted in (given_, "{x}", "{y}") for wanted, given_ in zip(template, path, strict=False)
    )
    assert (operations(text).find_http("GET", "/" + "/".join(path)) is not None) == expected


def test_segments_of_a_path() -> None:
    assert path_segments("/a/%C3%BC/?q=1#f") == ("a", "ü", "")
