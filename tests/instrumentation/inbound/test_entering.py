"""Whom a server believes, and what it remembers of a request."""

from __future__ import annotations

import asyncio
import contextvars

import pytest

from otel_resilience import Deadline
from otel_resilience.context import correlation, deadline, request
from otel_resilience.events import FieldDiscarded
from otel_resilience.testing import Recorder
from tests.instrumentation.inbound.answering import ASKS, Settings, enter


class TestEnter:
    def test_takes_what_a_caller_inside_says(self) -> None:
        with enter(ASKS) as scope:
            assert request.current() is scope.request
            assert (scope.request.attempt, scope.request.reads_chains) == (2, True)
            assert deadline.remaining() == pytest.approx(1.5)
            assert scope.request.operation == "POST /charge"
        assert request.current() is None
        assert Deadline.current() is None
        assert correlation.current() is None

    @pytest.mark.parametrize(
        ("fields", "peer"),
        [
            ({}, "8.8.8.8"),
            ({"x-forwarded-for": "10.0.0.1, 8.8.8.8"}, "127.0.0.1"),
            ({"x-forwarded-for": "unknown"}, "127.0.0.1"),
            ({"forwarded": "for=8.8.8.8"}, "127.0.0.1"),
            ({"forwarded": "for=_hidden"}, "127.0.0.1"),
        ],
    )
    def test_believes_nobody_outside(self, fields: dict[str, str], peer: str) -> None:
        with Recorder() as recorder, enter({**ASKS, **fields}, peer) as scope:
            assert (scope.request.attempt, scope.request.reads_chains) == (1, False)
            assert Deadline.current() is None
        assert [event.reason for event in recorder.of(FieldDiscarded)] == ["untrusted"]

    @pytest.mark.parametrize("fields", [{"x-forwarded-for": "10.0.0.1"}, {"forwarded": 'for="[fd00::1]:80"'}])
    def test_believes_proxies_inside(self, fields: dict[str, str]) -> None:
        with enter({**ASKS, **fields}) as scope:
            assert scope.request.reads_chains

    @pytest.mark.parametrize(
        ("text", "reason"),
        [("attempt=0", "malformed"), ("deadline=?1", "malformed"), ("a" * 4096, "oversized")],
    )
    def test_ignores_and_counts_what_it_cannot_read(self, text: str, reason: str) -> None:
        with Recorder() as recorder, enter({"resilience": text}) as scope:
            assert (scope.request.attempt, scope.request.reads_chains) == (1, False)
        assert [event.reason for event in recorder.of(FieldDiscarded)] == [reason]

    def test_the_earlier_of_two_deadlines_holds(self) -> None:
        with enter(ASKS, deadline_seconds=0.5):
            assert deadline.remaining() == pytest.approx(0.5)
        with enter(ASKS, deadline_seconds=5.0):
            assert deadline.remaining() == pytest.approx(1.5)

    def test_a_deadline_around_the_server_is_none_of_the_requests(self) -> None:
        token = deadline.tighten(1.0)
        with enter():
            assert Deadline.current() is None
        assert deadline.remaining() == pytest.approx(1.0)
        deadline.restore(token)

    @pytest.mark.parametrize("peer", ["127.0.0.1", "8.8.8.8"])
    def test_a_correlation_id_is_taken_from_anywhere(self, peer: str) -> None:
        with enter({"x-correlation-id": "order-7.a_b"}, peer):
            assert correlation.current() == "order-7.a_b"

    @pytest.mark.parametrize("bad", ["", "a b", "é", "a" * 129, "a\n"])
    def test_a_bad_one_is_replaced(self, bad: str) -> None:
        with Recorder() as recorder, enter({"x-correlation-id": bad}):
            made = correlation.current()
        assert made is not None
        assert len(made) == 32
        assert [event.name for event in recorder.of(FieldDiscarded)] == ["x-correlation-id"]

    def test_baggage_is_read(self) -> None:
        with enter({"baggage": "user=7,correlation.id=order-7"}):
            assert correlation.current() == "order-7"
        with enter({"baggage": "correlation.id=not%20valid"}):
            assert correlation.current() != "not valid"

    @pytest.mark.parametrize(
        ("propagation", "peer", "reads", "taken"),
        [
            ("internal", "127.0.0.1", True, True),
            ("internal", "8.8.8.8", False, True),
            ("edge", "127.0.0.1", False, False),
            ("off", "127.0.0.1", False, False),
            ("all", "8.8.8.8", True, True),
        ],
    )
    def test_whom_a_service_exchanges_fields_with(
        self, settings: Settings, propagation: str, peer: str, reads: bool, taken: bool
    ) -> None:
        settings(propagation=propagation)
        with enter({**ASKS, "x-correlation-id": "theirs"}, peer) as scope:
            assert scope.request.reads_chains is reads
            assert (correlation.current() == "theirs") is taken

    def test_leaving_in_another_context_only_forgets(self) -> None:
        scope = contextvars.copy_context().run(enter)
        scope.leave()
        scope.leave()
        assert request.current() is None

    async def test_a_sibling_task_sees_nothing_of_it(self) -> None:
        async def other() -> object:
            return request.current(), Deadline.current(), correlation.current()

        task = asyncio.create_task(other())
        with enter(ASKS):
            assert await task == (None, None, None)
