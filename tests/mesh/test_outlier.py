"""Ejection as rules: rows, growing times, at most half, late results, what is forgotten."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from otel_resilience.discovery.service_info import InstanceKey
from otel_resilience.mesh import outlier
from otel_resilience.mesh.outlier import EJECTION_SECONDS, FORGET_SECONDS, THRESHOLD, Ejection, Outliers
from otel_resilience.outcome import Verdict

KEYS = [InstanceKey("payments", "10.0.0.7", port) for port in range(1, 6)]
A, B, C, D, E = KEYS


def fail(
    outliers: Outliers, key: InstanceKey, now: float, present: list[InstanceKey] = KEYS
) -> Ejection | None:
    """As many failures as it takes; the last one's answer."""
    last = None
    for _ in range(THRESHOLD):
        last = outliers.settle(key, outliers.generation(key), Verdict.FAILURE, present, now)
    return last


def test_five_failures_in_a_row_eject_for_thirty_seconds() -> None:
    outliers = Outliers()
    for _ in range(4):
        assert outliers.settle(A, 0, Verdict.FAILURE, KEYS, 100.0) is None
    assert outliers.ejected(KEYS, 100.0) == frozenset()
    assert outliers.settle(A, 0, Verdict.FAILURE, KEYS, 100.0) == Ejection(A, 30.0, 1)
    assert outliers.ejected(KEYS, 129.9) == {A}
    assert outliers.ejected(KEYS, 130.0) == frozenset()


def test_a_success_ends_a_row_and_what_says_nothing_does_not() -> None:
    outliers = Outliers()
    for verdict in [*[Verdict.FAILURE] * 4, Verdict.SUCCESS, *[Verdict.FAILURE] * 4, Verdict.IGNORED]:
        assert outliers.settle(A, 0, verdict, KEYS, 0.0) is None
    assert outliers.settle(A, 0, Verdict.FAILURE, KEYS, 0.0) is not None


def test_a_flapping_endpoint_is_left_out_longer_each_time() -> None:
    outliers, now = Outliers(), 0.0
    for times in (1, 2, 3):
        ejection = fail(outliers, A, now)
        assert ejection == Ejection(A, EJECTION_SECONDS * times, times)
        now += ejection.seconds


def test_ejections_are_forgotten_one_by_one_in_quiet_times() -> None:
    outliers = Outliers()
    fail(outliers, A, 0.0)
    fail(outliers, A, 30.0)
    back = 30.0 + 60.0
    ejection = fail(outliers, A, back + FORGET_SECONDS)
    assert ejection is not None and ejection.times == 2
    ejection = fail(outliers, A, back + FORGET_SECONDS + 60.0 + 10 * FORGET_SECONDS)
    assert ejection is not None and ejection.times == 1


def test_what_was_begun_before_an_ejection_says_nothing_after_it() -> None:
    outliers = Outliers()
    fail(outliers, A, 0.0)
    assert outliers.generation(A) == 1
    for _ in range(10):
        assert outliers.settle(A, 0, Verdict.FAILURE, KEYS, 31.0) is None
    for _ in range(4):
        outliers.settle(A, 1, Verdict.FAILURE, KEYS, 31.0)
    outliers.settle(A, 0, Verdict.SUCCESS, KEYS, 31.0)
    assert outliers.settle(A, 1, Verdict.FAILURE, KEYS, 31.0) == Ejection(A, 60.0, 2)


def test_never_more_than_half() -> None:
    for count, most in ((1, 0), (2, 1), (3, 1), (4, 2), (5, 2)):
        outliers, present = Outliers(), KEYS[:count]
        ejections = [fail(outliers, key, 0.0, present) for key in present]
        assert sum(each is not None for each in ejections) == most
        assert len(outliers.ejected(present, 0.0)) == most


def test_one_that_had_to_stay_goes_with_its_next_failure_when_there_is_room() -> None:
    outliers = Outliers()
    pair = [A, B]
    fail(outliers, A, 0.0, pair)
    assert fail(outliers, B, 0.0, pair) is None
    assert outliers.settle(B, 0, Verdict.FAILURE, pair, 30.0) == Ejection(B, 30.0, 1)


def test_those_who_remain_when_others_go_are_called_even_if_they_were_ejected() -> None:
    outliers = Outliers()
    fail(outliers, A, 0.0)
    fail(outliers, B, 1.0)
    assert outliers.ejected(KEYS, 2.0) == {A, B}
    assert outliers.ejected([A, B], 2.0) == {B}, "the one that has been out for longest comes back"
    assert outliers.ejected([A], 2.0) == frozenset()


def test_one_that_is_not_healthy_any_more_is_not_ejected_too() -> None:
    outliers = Outliers()
    assert fail(outliers, A, 0.0, [B, C, D, E]) is None


def test_memory_is_bounded() -> None:
    outliers = Outliers()
    for port in range(3 * outlier.REMEMBERED):
        outliers.settle(InstanceKey("payments", "10.0.0.7", port), 0, Verdict.FAILURE, [], float(port))
    assert len(outliers._records) <= outlier.REMEMBERED + 1


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(KEYS),
            st.sampled_from(list(Verdict)),
            st.integers(0, 3),
            st.sets(st.sampled_from(KEYS)),
            st.floats(0.0, 40.0),
        ),
        max_size=150,
    )
)
def test_whatever_happens_at_most_half_are_out_and_nobody_for_ever(
    steps: list[tuple[InstanceKey, Verdict, int, set[InstanceKey], float]],
) -> None:
    outliers, now = Outliers(), 0.0
    for key, verdict, age, present, seconds in steps:
        now += seconds
        outliers.settle(key, outliers.generation(key) - age, verdict, present, now)
        for those in (present, KEYS):
            assert len(outliers.ejected(those, now)) <= len(those) // 2
    assert outliers.ejected(KEYS, now + EJECTION_SECONDS * (len(steps) + 1)) == frozenset()
