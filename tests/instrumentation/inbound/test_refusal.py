"""Work whose deadline had passed before it came."""

from __future__ import annotations

from typing import Any

import pytest

from otel_resilience import Deadline
from otel_resilience.events import ExecutionRejected
from otel_resilience.testing import Recorder
from otel_resilience_instrumentation import _inbound
from tests.instrumentation.inbound.answering import Settings, answer, enter, hops

EXPIRED = {"resilience": "deadline=0, chain"}


def test_it_is_refused_counted_and_announced() -> None:
    with Recorder() as seen, enter(EXPIRED) as scope:
        refused = _inbound.refusal(scope)
    assert refused is not None
    assert refused.error_code == "DEADLINE_EXCEEDED"
    (event,) = seen.of(ExecutionRejected)
    assert (event.name, event.policy_type, event.reason) == ("payments", "timeout", "deadline_exceeded")
    assert event.enforced


@pytest.mark.parametrize(
    ("fields", "known"),
    [
        ({"resilience": "deadline=1, chain"}, {}),
        ({"resilience": "chain"}, {}),
        ({}, {"deadline_seconds": 0.5}),
        ({}, {}),
    ],
)
def test_work_with_time_left_is_not(fields: dict[str, str], known: dict[str, Any]) -> None:
    with enter(fields, **known) as scope:
        assert _inbound.refusal(scope) is None


def test_the_transports_own_deadline_counts_too() -> None:
    with enter({"resilience": "deadline=500"}, deadline_seconds=0.0) as scope:
        assert _inbound.refusal(scope) is not None


def test_a_stranger_cannot_have_work_refused() -> None:
    with enter(EXPIRED, peer="8.8.8.8") as scope:
        assert _inbound.refusal(scope) is None
        assert Deadline.current() is None


def test_in_shadow_it_is_counted_and_done(settings: Settings) -> None:
    settings(mode="shadow")
    with Recorder() as seen, enter(EXPIRED) as scope:
        assert _inbound.refusal(scope) is None
    assert [event.enforced for event in seen.of(ExecutionRejected)] == [False]


def test_where_everything_is_off_nothing_is_looked_at(settings: Settings) -> None:
    settings("mode: off")
    with Recorder() as seen, enter(EXPIRED) as scope:
        assert _inbound.refusal(scope) is None
    assert seen.of(ExecutionRejected) == []


def test_the_refusal_is_the_root_of_a_chain_that_says_not_to_come_again() -> None:
    with enter(EXPIRED) as scope:
        error = _inbound.refusal(scope)
    assert hops(status=504, error=error) == [("payments", "DEADLINE_EXCEEDED")]
    told = answer(status=504, error=error)
    assert told is not None
    assert (str(told.chain.root.kind), told.chain.retryable) == ("rejected", False)
