"""When a caller may come again: what a dependency has said comes back through every service above it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from otel_resilience import DomainError
from otel_resilience.errors.failed_call import FailedCall
from otel_resilience.exceptions import CircuitOpenError
from otel_resilience.testing import ManualClock
from otel_resilience_instrumentation import _answer
from tests.instrumentation.inbound.answering import PASSED_ON, enter


@pytest.fixture
def clock() -> Iterator[ManualClock]:
    with ManualClock(100.0) as clock:
        yield clock


LATER = replace(PASSED_ON, retry_after=30.0, began=90.0, ended=100.0)


def hint(*failures: FailedCall, fields: dict[str, str] | None = None, **ending: Any) -> float | None:
    with enter({"resilience": "chain"} if fields is None else fields) as scope:
        for failed in failures:
            scope.request.remember(failed)
        told = _answer.answer(scope, **ending)
    assert told is not None
    return told.retry_after


def test_what_is_left_of_it_comes_back(clock: ManualClock) -> None:
    assert hint(LATER, status=502) == 30.0
    clock.advance(12.0)
    assert hint(LATER, grpc_status="UNAVAILABLE") == 18.0
    clock.advance(100.0)
    assert hint(LATER, status=502) == 0.0


def test_the_hint_of_the_error_that_nobody_caught_goes_before(clock: ManualClock) -> None:
    assert hint(LATER, status=500, error=DomainError("BUSY", retry_after=5.0)) == 5.0
    assert hint(status=500, error=CircuitOpenError("not called", retry_after=7.5)) == 7.5
    assert hint(LATER, status=500, error=KeyError()) == 30.0


def test_a_hint_without_end_has_one(clock: ManualClock) -> None:
    endless = replace(LATER, retry_after=1e308)
    assert hint(endless, status=502) == hint(status=500, error=DomainError("BUSY", retry_after=1e308)) == 1e9


def test_nobody_said_so(clock: ManualClock) -> None:
    assert hint(PASSED_ON, status=502) is None
    assert hint(status=503) is None


def test_a_refusal_of_our_own_is_not_the_dependencys(clock: ManualClock) -> None:
    assert hint(LATER, status=429) is None


def test_who_may_not_read_chains_gets_none(clock: ManualClock) -> None:
    assert hint(LATER, fields={}, status=502) is None
