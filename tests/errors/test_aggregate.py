"""Several failures, one story: which one is the cause, and how the others are counted."""

from __future__ import annotations

import pytest

from otel_resilience import ErrorChain, Hop, error_chain
from otel_resilience.errors import aggregate
from otel_resilience.errors.adopt import attach
from otel_resilience.errors.failed_call import FailedCall
from otel_resilience.errors.hop import HopKind


def chain(*services: str, span: int = 1, kind: HopKind = HopKind.LOCAL) -> ErrorChain:
    root, *others = services
    told = ErrorChain.of(Hop(service=root, code="DOWN", trace_id="a" * 32, span_id=f"{span:016x}", kind=kind))
    for service in others:
        told = told.extended(Hop(service=service, code="HTTP_502"))
    return told


def failed(
    code: str, began: float, ended: float, received: ErrorChain | None = None, kind: HopKind = HopKind.REMOTE
) -> FailedCall:
    return FailedCall(code=code, kind=kind, received=received, began=began, ended=ended)


class TestCausal:
    def test_nothing_failed(self) -> None:
        assert aggregate.causal([]) is None

    def test_one_after_the_other_only_the_last_counts(self) -> None:
        story = aggregate.causal([failed("A", 0.0, 1.0), failed("B", 1.0, 2.0), failed("C", 2.0, 3.0)])
        assert story == failed("C", 2.0, 3.0)

    def test_side_by_side_the_earliest_is_the_cause_and_stands_for_the_others(self) -> None:
        first = failed("A", 0.0, 1.0, chain("ledger"))
        story = aggregate.causal(
            [first, failed("B", 0.5, 2.0, chain("disk", "stock", span=2)), failed("C", 0.0, 3.0)]
        )
        assert story is not None
        assert (story.code, story.received, story.others) == ("A", chain("ledger"), 3)

    def test_what_overlaps_with_one_that_overlaps_belongs_to_it(self) -> None:
        # Two workers make three calls: the third began when the first had failed.
        story = aggregate.causal([failed("A", 0.0, 1.0), failed("B", 0.0, 3.0), failed("C", 1.0, 4.0)])
        assert story is not None
        assert (story.code, story.others) == ("A", 2)

    def test_what_was_over_before_the_others_began_was_recovered_from(self) -> None:
        story = aggregate.causal([failed("A", 0.0, 1.0), failed("B", 1.0, 2.0), failed("C", 1.0, 3.0)])
        assert story is not None
        assert (story.code, story.others) == ("B", 1)

    def test_a_refusal_of_our_own_is_a_cause_only_where_nothing_else_failed(self) -> None:
        refused = failed("CIRCUIT_OPEN", 0.0, 0.1, kind=HopKind.REJECTED)
        story = aggregate.causal([refused, failed("B", 0.0, 2.0)])
        assert story is not None
        assert (story.code, story.others) == ("B", 1)
        assert aggregate.causal([refused]) == refused

    def test_two_that_met_one_failure_are_one(self) -> None:
        both = [failed("A", 0.0, 1.0, chain("ledger")), failed("B", 0.0, 2.0, chain("ledger", "stock"))]
        story = aggregate.causal(both)
        assert story is not None
        assert story.others == 0


class TestToldBy:
    own = failed("INTERNAL", 0.0, 9.0, kind=HopKind.LOCAL)

    def test_nothing_failed_inside(self) -> None:
        assert aggregate.told_by(self.own, []) is self.own

    def test_a_failure_without_a_story_began_with_the_calls_inside(self) -> None:
        inner = failed("HTTP_503", 1.0, 2.0, chain("ledger"))
        told = aggregate.told_by(self.own, [inner])
        assert (told.code, told.received, told.began, told.ended) == ("INTERNAL", chain("ledger"), 0.0, 9.0)

    def test_a_root_keeps_the_code_of_what_failed(self) -> None:
        told = aggregate.told_by(self.own, [failed("CONNECT_FAILED", 1.0, 2.0)])
        assert (told.code, told.kind, told.received) == ("CONNECT_FAILED", HopKind.REMOTE, None)

    @pytest.mark.parametrize("kind", [HopKind.REJECTED, HopKind.TIMEOUT])
    def test_what_a_policy_decided_is_its_own_story(self, kind: HopKind) -> None:
        own = failed("SERVICE_TIMEOUT", 0.0, 9.0, kind=kind)
        told = aggregate.told_by(own, [failed("HTTP_503", 1.0, 2.0, chain("ledger", "stock"))])
        assert (told.code, told.received, told.others) == ("SERVICE_TIMEOUT", None, 2)

    def test_one_failure_met_at_two_guards_is_counted_once(self) -> None:
        own = failed("HTTP_503", 0.0, 9.0, chain("ledger"))
        assert aggregate.told_by(own, [failed("HTTP_503", 1.0, 2.0, chain("ledger"))]) == own
        timed_out = failed("READ_TIMEOUT", 0.0, 9.0, kind=HopKind.TIMEOUT)
        assert (
            aggregate.told_by(timed_out, [failed("READ_TIMEOUT", 1.0, 2.0, kind=HopKind.TIMEOUT)])
            == timed_out
        )


class TestCarried:
    def test_what_the_error_brings_is_the_story_and_the_others_are_counted(self) -> None:
        failures = [failed("A", 0.0, 1.0, chain("disk", span=2)), failed("B", 0.0, 2.0, chain("ledger"))]
        told = aggregate.carried_by(chain("ledger", "payments"), failures)
        assert told.services_involved == ("ledger", "payments")
        assert told.omitted == 1

    def test_what_a_group_has_counted_is_not_counted_again(self) -> None:
        first, second = chain("ledger"), chain("disk", "stock", span=2)
        failures = [failed("A", 0.0, 1.0, first), failed("B", 0.0, 2.0, second), failed("C", 0.0, 3.0)]
        members = ErrorChain.of_many([first, second])
        assert members is not None
        assert members.omitted == 2
        assert aggregate.carried_by(members, failures).omitted == 3


class TestGroups:
    def carrying(self, told: ErrorChain) -> OSError:
        error = OSError()
        attach(error, told)
        return error

    def test_the_first_member_with_a_story_is_the_cause_and_the_others_are_counted(self) -> None:
        inner = ExceptionGroup("inner", [self.carrying(chain("disk", "stock", span=2))])
        group = ExceptionGroup("several", [KeyError(), self.carrying(chain("ledger")), inner])
        told = error_chain(group)
        assert told is not None
        assert (told.root_cause_code, told.services_involved, told.omitted) == ("DOWN", ("ledger",), 2)

    def test_a_refusal_is_the_cause_only_where_nothing_else_failed(self) -> None:
        refused = self.carrying(chain("orders", kind=HopKind.REJECTED, span=3))
        told = error_chain(ExceptionGroup("several", [refused, self.carrying(chain("ledger"))]))
        assert told is not None
        assert (told.root.service, told.omitted) == ("ledger", 1)

    def test_one_story_in_two_members_is_one(self) -> None:
        told = chain("ledger")
        assert error_chain(ExceptionGroup("twice", [self.carrying(told), self.carrying(told)])) is told

    def test_groups_without_end_have_an_end(self) -> None:
        group: BaseExceptionGroup[BaseException] = ExceptionGroup("deep", [self.carrying(chain("ledger"))])
        for _ in range(2000):
            group = ExceptionGroup("deeper", [group])  # type: ignore[list-item]  # a group of exceptions is one
        assert error_chain(group) is None
        wide = ExceptionGroup("wide", [KeyError() for _ in range(5000)])
        assert error_chain(wide) is None
