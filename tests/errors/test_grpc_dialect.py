"""What the results of RPCs say beside their status."""

from __future__ import annotations

from typing import Any

import grpc
import pytest

from otel_resilience.errors.dialects.grpc import DIALECT
from otel_resilience.outcome import Failure


class Unavailable(grpc.RpcError):
    """What a stub raises, with the trailing metadata of the test."""

    def __init__(self, trailing: Any) -> None:
        self._trailing = trailing

    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.UNAVAILABLE

    def trailing_metadata(self) -> Any:
        if isinstance(self._trailing, Exception):
            raise self._trailing
        return self._trailing


@pytest.mark.parametrize(
    ("trailing", "seconds"),
    [
        ((("grpc-retry-pushback-ms", "1500"),), 1.5),
        ((("grpc-retry-pushback-ms", "0"),), 0.0),
        ((("grpc-retry-pushback-ms", "-1"),), None),
        ((("grpc-retry-pushback-ms", "soon"),), None),
        ((("grpc-retry-pushback-ms", "٣"),), None),
        ((("grpc-retry-pushback-ms", "9" * 5000),), None),
        ((("grpc-retry-pushback-ms", "1"), ("grpc-retry-pushback-ms", "2")), None),
        ((("other", "1500"),), None),
        ((), None),
        (None, None),
        (RuntimeError("a call of somebody else's"), None),
    ],
)
def test_a_servers_pushback_is_a_hint(trailing: Any, seconds: float | None) -> None:
    assert DIALECT.read(Failure(Unavailable(trailing))).retry_after == seconds
