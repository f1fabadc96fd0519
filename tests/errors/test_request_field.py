"""``resilience`` on the wire, and fields in carriers."""

from __future__ import annotations

import math
import socket
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_resilience.errors.codecs.carriers import get_field, valid_correlation_id
from otel_resilience.errors.codecs.field_error import FieldError
from otel_resilience.errors.codecs.request_field import RequestField, decode, encode


def test_the_contracts_example() -> None:
    field = RequestField(deadline=1.25, attempt=2, chain=True)
    assert encode(field) == "deadline=1250, attempt=2, chain"
    assert decode("deadline=1250, attempt=2, chain") == field


def test_a_deadline_is_rounded_down_and_never_below_zero() -> None:
    assert encode(RequestField(deadline=0.0019)) == "deadline=1"
    assert encode(RequestField(deadline=-5.0)) == "deadline=0"


def test_a_deadline_that_no_socket_can_wait_for_is_bounded() -> None:
    deadline = decode("deadline=999999999999999").deadline
    assert deadline is not None
    with socket.socket() as waiting:
        waiting.settimeout(deadline)  # OverflowError above the platform's limit
    assert decode(encode(RequestField(deadline=1e300))).deadline == deadline


def test_no_deadline_and_an_endless_one_are_the_same_on_the_wire() -> None:
    assert encode(RequestField(deadline=math.inf, chain=True)) == "chain"


@pytest.mark.parametrize("field", [{"attempt": 0}, {"attempt": 10**15}, {"deadline": math.nan}])
def test_a_field_that_no_peer_would_read_is_refused_at_birth(field: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"RequestField .* must be"):
        RequestField(**field)


def test_keys_of_a_later_version_are_ignored() -> None:
    assert decode("chain, priority=low, deadline=5;x=1") == RequestField(deadline=0.005, chain=True)
    assert decode("") == RequestField()


@pytest.mark.parametrize(
    "text",
    [
        "deadline=-1",
        "deadline=1.5",
        "deadline",
        "attempt=0",
        "attempt=?1",
        "attempt=a",
        "chain=1",
        "chain=()",
        "=",
        "a b",
        "é",
    ],
)
def test_what_is_malformed(text: str) -> None:
    with pytest.raises(FieldError) as caught:
        decode(text)
    assert caught.value.reason == "malformed"


def test_what_is_oversized() -> None:
    with pytest.raises(FieldError) as caught:
        decode("chain, x=" + "a" * 2048)
    assert caught.value.reason == "oversized"


@given(st.integers(0, 10**9), st.integers(1, 100), st.booleans())
def test_what_is_written_is_read_back(milliseconds: int, attempt: int, chain: bool) -> None:
    text = f"deadline={milliseconds}, attempt={attempt}" + (", chain" if chain else "")
    field = decode(text)
    assert (field.attempt, field.chain) == (attempt, chain)
    assert field.deadline == pytest.approx(milliseconds / 1000)


def test_fields_are_found_whatever_their_case_and_joined_when_repeated() -> None:
    assert get_field({"Error-Chain": "a"}, "error-chain") == "a"
    assert get_field([("error-chain", "a"), ("other", "x"), ("ERROR-CHAIN", b"b")], "error-chain") == "a, b"
    assert get_field({"error-chain": 7}, "error-chain") is None
    assert get_field({}, "error-chain") is None
    assert get_field([(b"Error-Chain", b"a")], "error-chain") == "a"
    assert get_field({"error-chain": [b"a", "b"]}, "error-chain") == "a, b"
    assert get_field([("error-chain", "a", "odd"), ("error-chain", "b")], "error-chain") == "b"
    assert get_field({None: "a", 7: "b"}, "error-chain") is None


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("a", True),
        ("A-z_0.9", True),
        ("x" * 128, True),
        ("x" * 129, False),
        ("", False),
        ("a b", False),
        ("a\n", False),
        ("ü", False),
    ],
)
def test_correlation_ids(text: str, valid: bool) -> None:
    assert valid_correlation_id(text) is valid
