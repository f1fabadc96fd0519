"""``google.rpc.ErrorInfo``, read without its messages: compared with the real ones, and with garbage."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status
from hypothesis import given
from hypothesis import strategies as st

from otel_resilience.errors.codecs import error_info

Metadata = tuple[tuple[str, Any], ...]


def carried(*details: Any, message: str = "bad") -> Metadata:
    status = Status(code=13, message=message)
    for detail in details:
        packed = AnyMessage()
        packed.Pack(detail)
        status.details.append(packed)
    return (("other", "x"), (error_info.KEY, status.SerializeToString()))


@given(st.text(max_size=300), st.text(max_size=60))
def test_what_protobuf_writes_is_read(message: str, domain: str) -> None:
    found = error_info.find(
        carried(
            RetryInfo(),
            ErrorInfo(reason="OUT_OF_STOCK", domain=domain, metadata={"sku": "17"}),
            ErrorInfo(reason="SECOND"),
            message=message,
        )
    )
    assert found == ("OUT_OF_STOCK", domain)


@given(st.binary(max_size=200))
def test_garbage_is_read_as_none(garbage: bytes) -> None:
    assert error_info.find(((error_info.KEY, garbage),)) is None


@given(st.integers(0, 120), st.integers(0, 255))
def test_a_damaged_one_never_raises(at: int, byte: int) -> None:
    ((_, whole),) = carried(ErrorInfo(reason="OUT_OF_STOCK", domain="shop.com"))[1:]
    damaged = bytearray(whole)
    damaged[at % len(damaged)] = byte
    error_info.find(((error_info.KEY, bytes(damaged)),))
    error_info.find(((error_info.KEY, bytes(damaged[:at])),))


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        (),
        carried(),
        carried(RetryInfo()),
        carried(ErrorInfo(reason="not a code")),
        ((error_info.KEY, "text"),),
        carried(ErrorInfo(reason="OUT_OF_STOCK", domain="d" * 9000)),
        (1, "text", (), (error_info.KEY,), object()),
        itertools.repeat(("other", "x")),
    ],
)
def test_without_a_reason_that_is_a_code_there_is_none(metadata: Any) -> None:
    assert error_info.find(metadata) is None
    assert error_info.reason(metadata) is None
