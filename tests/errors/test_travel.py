"""Errors that travel to another process: a pool of processes breaks for good where one cannot be read on arrival."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import grpc
import pytest
import requests

from otel_resilience import (
    CircuitOpenError,
    DomainError,
    ErrorPropagator,
    RateLimitedError,
    RemoteError,
    RetriesExhaustedError,
    ServiceTimeoutError,
    error_chain,
)
from otel_resilience.errors.dialects.grpc import DIALECT
from otel_resilience.errors.dialects.requests import RequestsDialect

CHAIN = error_chain(ErrorPropagator("ledger").propagate(DomainError("OUT_OF_STOCK")))
assert CHAIN is not None
ASKED = requests.Request("GET", "http://payments/").prepare()

ERRORS: list[BaseException] = [
    CircuitOpenError("open", retry_after=3.0),
    DomainError("OUT_OF_STOCK", "none left", retryable=True, retry_after=2.0),
    RemoteError(CHAIN),
    RetriesExhaustedError("no more", last_result=4),
    DIALECT.own(RateLimitedError("slower", retry_after=1.0)),
    RequestsDialect(ASKED).own(ServiceTimeoutError("late", retryable=True)),
]


@pytest.mark.parametrize(
    "travel", [lambda error: pickle.loads(pickle.dumps(error)), copy.copy, copy.deepcopy]
)
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_arrives_as_what_it_is(error: Any, travel: Any) -> None:
    arrived = travel(error)
    assert type(arrived) is type(error)
    assert (str(arrived), arrived.args) == (str(error), error.args)
    assert (arrived.error_code, arrived.retryable, arrived.retry_after) == (
        error.error_code,
        error.retryable,
        error.retry_after,
    )
    assert error_chain(arrived) == error_chain(error)
    assert isinstance(arrived, grpc.RpcError) == isinstance(error, grpc.RpcError)
    assert isinstance(arrived, requests.Timeout) == isinstance(error, requests.Timeout)
