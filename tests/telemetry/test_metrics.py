"""Metric points, exactly."""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections.abc import Callable, Iterator

import pytest

from otel_resilience import Backoff, CircuitBreaker, CircuitOpenError, Pipeline, Retry, RetryBudget, Timeout
from otel_resilience.context import request
from otel_resilience.context.request import Request
from otel_resilience.errors.chain import ErrorChain
from otel_resilience.errors.hop import Hop
from otel_resilience.events import ExecutionFinished, FieldDiscarded
from otel_resilience.inventory import Inventory
from otel_resilience.listener import LISTENERS
from otel_resilience.outcome import Outcome
from otel_resilience.telemetry import counts, names
from otel_resilience.testing import ManualClock
from tests.telemetry.clients import HTTP, Response, get, ledger_chain
from tests.telemetry.observatory import Attributes, Observatory, attributes

AT_ONCE = Backoff(initial=0.0, jitter="none")


@pytest.fixture
def policies() -> Inventory:
    return Inventory()


@pytest.fixture
def own(policies: Inventory) -> Iterator[Observatory]:
    """Shows the policies of ``policies`` alone."""
    with Observatory(policies=policies) as observatory:
        yield observatory


def fail() -> None:
    raise OSError("away")


def status(name: str, **states: int) -> dict[Attributes, int]:
    every = {"closed": 0, "open": 0, "half_open": 0, "forced_open": 0, "forced_closed": 0, **states}
    return {
        attributes(resilience__policy__name=name, resilience__circuit_breaker__state=state): value
        for state, value in every.items()
    }


def transition(name: str, previous: str, state: str) -> Attributes:
    return attributes(
        resilience__policy__name=name,
        resilience__circuit_breaker__state=state,
        resilience__circuit_breaker__previous_state=previous,
    )


def of(points: dict[Attributes, int], name: str) -> dict[Attributes, int]:
    return {key: value for key, value in points.items() if ("resilience.policy.name", name) in key}


def test_a_breaker_is_shown_in_every_state_before_any_call(own: Observatory, policies: Inventory) -> None:
    breaker = CircuitBreaker()
    policies.add("circuit_breaker", "fresh", breaker)
    assert own.points("resilience.circuit_breaker.status") == status("fresh", closed=1)
    assert own.points("resilience.circuit_breaker.transitions") == {
        transition("fresh", "closed", "open"): 0,
        transition("fresh", "open", "half_open"): 0,
        transition("fresh", "half_open", "closed"): 0,
        transition("fresh", "half_open", "open"): 0,
    }


def test_collecting_changes_nothing(observatory: Observatory, manual_clock: ManualClock) -> None:
    guard = CircuitBreaker("metrics.scraped", failure_threshold=1, recovery_timeout=5.0)
    with pytest.raises(OSError, match="away"):
        guard.call(fail)
    manual_clock.advance(1_000.0)
    before = guard.snapshot()
    for _ in range(2):
        points = of(observatory.points("resilience.circuit_breaker.status"), "metrics.scraped")
        assert points == status("metrics.scraped", open=1)
    assert guard.snapshot() == before


def test_the_way_of_a_breaker_is_counted(observatory: Observatory, manual_clock: ManualClock) -> None:
    guard = CircuitBreaker("metrics.way", failure_threshold=1, recovery_timeout=5.0)
    for _ in range(2):
        with pytest.raises(OSError, match="away"):
            guard.call(fail)
        manual_clock.advance(60.0)
    guard.call(len, "")
    assert of(observatory.points("resilience.circuit_breaker.transitions"), "metrics.way") == {
        transition("metrics.way", "closed", "open"): 1,
        transition("metrics.way", "open", "half_open"): 2,
        transition("metrics.way", "half_open", "closed"): 1,
        transition("metrics.way", "half_open", "open"): 1,
    }
    guard.force_open()
    points = of(observatory.points("resilience.circuit_breaker.transitions"), "metrics.way")
    assert points[transition("metrics.way", "closed", "forced_open")] == 1


def test_breakers_of_one_name_are_shown_as_the_worst_that_lives(
    own: Observatory, policies: Inventory
) -> None:
    well, ill, forced = CircuitBreaker(), CircuitBreaker(failure_threshold=1), CircuitBreaker()
    for breaker in (well, ill, forced):
        policies.add("circuit_breaker", "twins", breaker)
    with pytest.raises(OSError, match="away"):
        ill.call(fail)
    assert own.points("resilience.circuit_breaker.status") == status("twins", open=1)
    forced.force_open()
    assert own.points("resilience.circuit_breaker.status") == status("twins", forced_open=1)
    del ill, forced, breaker
    gc.collect()
    assert own.points("resilience.circuit_breaker.status") == status("twins", closed=1)


def test_what_a_breaker_did_is_counted_after_it_is_gone(observatory: Observatory) -> None:
    guard = CircuitBreaker("metrics.gone", failure_threshold=1)
    with pytest.raises(OSError, match="away"):
        guard.call(fail)
    del guard
    gc.collect()
    assert of(observatory.points("resilience.circuit_breaker.status"), "metrics.gone") == status(
        "metrics.gone"
    )
    points = observatory.points("resilience.circuit_breaker.transitions")
    assert points[transition("metrics.gone", "closed", "open")] == 1


def test_budgets_of_one_name_are_added(own: Observatory, policies: Inventory) -> None:
    budgets = [RetryBudget(min_per_second=2.0), RetryBudget(ratio=0.0, min_per_second=0.5)]
    for budget in budgets:
        policies.add("retry_budget", "shared", budget)
    assert budgets[0].take(0.0)
    with ManualClock(0.0):
        key = attributes(resilience__policy__name="shared")
        assert own.points("resilience.retry_budget.limit") == {key: 25.0}
        assert own.points("resilience.retry_budget.available") == {key: 24.0}


def test_a_call_through_everything_is_counted_once_each(
    observatory: Observatory, manual_clock: ManualClock
) -> None:
    name = "metrics.all"
    guard = Pipeline(
        name, Timeout(5.0), Retry(on=OSError, backoff=AT_ONCE), CircuitBreaker(failure_threshold=3)
    )
    with pytest.raises(OSError, match="away"):
        guard.call(fail)
    with pytest.raises(CircuitOpenError):
        guard.call(fail)
    policy = {"resilience__policy__name": name}
    assert of(observatory.points("resilience.executions"), name) == {
        attributes(
            **policy, resilience__outcome="failure", error__type="OSError", resilience__enforced=True
        ): 1,
        attributes(
            **policy, resilience__outcome="rejected", error__type="CIRCUIT_OPEN", resilience__enforced=True
        ): 1,
    }
    assert of(observatory.points("resilience.attempts"), name) == {
        attributes(**policy, resilience__attempt__type="initial", resilience__outcome="failure"): 1,
        attributes(**policy, resilience__attempt__type="retry", resilience__outcome="failure"): 2,
    }
    assert of(observatory.points("resilience.retry.calls"), name) == {
        attributes(**policy, resilience__retry__result="failure_with_retry"): 1,
        attributes(**policy, resilience__retry__result="failure_without_retry"): 1,
    }
    assert of(observatory.points("resilience.rejections"), name) == {
        attributes(
            **policy,
            resilience__policy__type="circuit_breaker",
            resilience__rejection__reason="circuit_open",
            resilience__enforced=True,
        ): 1
    }
    # A local pipeline has no histogram, and its failures are no failures of this service.
    assert of(observatory.points("resilience.execution.duration"), name) == {}
    assert observatory.points("resilience.errors") == {}


def test_a_success_has_no_error_type(observatory: Observatory) -> None:
    Pipeline("metrics.well").call(len, "")
    assert of(observatory.points("resilience.executions"), "metrics.well") == {
        attributes(
            resilience__policy__name="metrics.well", resilience__outcome="success", resilience__enforced=True
        ): 1
    }


def test_a_retry_that_the_budget_forbids_is_counted(observatory: Observatory) -> None:
    budget = RetryBudget(ratio=0, min_per_second=0)
    with pytest.raises(OSError, match="away"):
        Pipeline("metrics.poor", Retry(on=OSError, backoff=AT_ONCE, budget=budget)).call(fail)
    assert of(observatory.points("resilience.retry.suppressed"), "metrics.poor") == {
        attributes(
            resilience__policy__name="metrics.poor", resilience__retry__suppression__reason="budget"
        ): 1
    }


def test_shadow_is_counted_as_not_enforced(observatory: Observatory, manual_clock: ManualClock) -> None:
    name = "metrics.shadow"
    guard = Pipeline(name, Timeout(1.0), CircuitBreaker(failure_threshold=1), mode="shadow")
    with pytest.raises(OSError, match="away"):
        guard.call(fail)
    guard.call(manual_clock.sleep, 2.0)
    executions = of(observatory.points("resilience.executions"), name)
    assert {("resilience.enforced", False) in key for key in executions} == {True}
    assert sum(executions.values()) == 2
    [(rejection, count)] = of(observatory.points("resilience.rejections"), name).items()
    assert ("resilience.enforced", False) in rejection
    assert count == 1
    assert list(of(observatory.points("resilience.timeouts"), name).values()) == [1]


def test_a_traced_call_is_one_point_of_the_histogram(
    observatory: Observatory, manual_clock: ManualClock
) -> None:
    name = "metrics.traced"
    guard = Pipeline(name, trace=True)
    tracer = observatory.tracer()

    def slow() -> Response:
        manual_clock.sleep(0.25)
        return get(tracer, Response(503, ledger_chain()))()

    guard.execute(slow, dialect=HTTP, peer="payments")
    guard.execute(get(tracer, Response(200)), dialect=HTTP, peer="payments")
    policy = {"resilience__policy__name": name, "service__peer__name": "payments"}
    assert of(observatory.points("resilience.execution.duration"), name) == {
        attributes(**policy, resilience__outcome="failure", error__type="503"): 1,
        attributes(**policy, resilience__outcome="success"): 1,
    }
    [failed] = [
        point
        for point in observatory.metrics["resilience.execution.duration"].data.data_points
        if (point.attributes or {}).get("error.type") == "503"
    ]
    assert failed.sum == 0.25  # type: ignore[union-attr]  # a histogram's points have one


def test_the_outermost_guard_of_a_name_counts_the_call(observatory: Observatory) -> None:
    outer, inner = Pipeline("metrics.nested"), Pipeline("metrics.nested")
    outer.call(inner.call, len, "")
    assert sum(of(observatory.points("resilience.executions"), "metrics.nested").values()) == 1


def test_a_failed_call_outside_of_a_request_counts_as_an_error_by_its_root(observatory: Observatory) -> None:
    guard = Pipeline("metrics.errors", trace=True)
    guard.execute(get(observatory.tracer(), Response(503, ledger_chain())), dialect=HTTP)
    assert observatory.points("resilience.errors") == {
        attributes(
            resilience__error__root__service="ledger",
            resilience__error__root__code="DB_UNAVAILABLE",
            error__type="503",
        ): 1
    }


def test_inside_a_request_only_its_answer_counts_as_an_error(observatory: Observatory) -> None:
    guard = Pipeline("metrics.answered", trace=True)
    token = request.enter(Request())
    try:
        guard.execute(get(observatory.tracer(), Response(503, ledger_chain())), dialect=HTTP)
        assert observatory.points("resilience.errors") == {}
        observatory.telemetry.count_error(ledger_chain(), "502")
    finally:
        request.leave(token)
    assert list(observatory.points("resilience.errors").values()) == [1]


def test_discarded_fields_and_the_policy_files_state(observatory: Observatory) -> None:
    assert observatory.points("resilience.config.status") == {}
    LISTENERS.announce(FieldDiscarded(name="error-chain", reason="oversized"))
    observatory.telemetry.gauges.config_valid = False
    assert observatory.points("resilience.propagation.discarded") == {
        attributes(resilience__discard__reason="oversized"): 1
    }
    assert observatory.points("resilience.config.status") == {
        attributes(resilience__config__state="valid"): 0,
        attributes(resilience__config__state="invalid"): 1,
    }


def finished(name: str, error_type: str | None = None) -> ExecutionFinished:
    return ExecutionFinished(
        name=name, outcome=Outcome.FAILURE, error_type=error_type, enforced=True, traced=True, duration=0.1
    )


def test_error_types_are_bounded_everywhere_together(observatory: Observatory) -> None:
    for number in range(counts.MAX_ERROR_TYPES + 5):
        LISTENERS.announce(finished("metrics.types", f"Error{number}"))
    for metric in ("resilience.executions", "resilience.execution.duration"):
        points = of(observatory.points(metric), "metrics.types")
        assert len(points) == counts.MAX_ERROR_TYPES + 1
        [other] = [key for key in points if ("error.type", "_OTHER") in key]
        assert points[other] == 5


def test_roots_are_bounded(observatory: Observatory) -> None:
    most = names.ERRORS.max_series
    for number in range(most + 7):
        chain = ErrorChain.of(Hop(service=f"service{number}", code="INTERNAL"))
        observatory.telemetry.count_error(chain, "500")
    points = observatory.points("resilience.errors")
    assert len(points) == most + 1
    other = attributes(
        resilience__error__root__service="_OTHER",
        resilience__error__root__code="_OTHER",
        error__type="_OTHER",
    )
    assert points[other] == 7


def test_too_many_names_keep_what_is_known_of_them(observatory: Observatory) -> None:
    most = names.EXECUTIONS.max_series
    for number in range(most + 3):
        LISTENERS.announce(finished(f"tenant{number}"))
    points = observatory.points("resilience.executions")
    assert len(points) == most + 1
    other = attributes(
        resilience__policy__name="_OTHER", resilience__outcome="failure", resilience__enforced=True
    )
    assert points[other] == 3


def in_eight_threads(work: Callable[[int], None]) -> None:
    """Run ``work`` with the numbers 0 to 7 at once, changing threads as often as the interpreter can."""
    together = threading.Barrier(8)

    def start(number: int) -> None:
        together.wait()
        work(number)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=start, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)


def test_totals_are_exact_with_eight_threads(observatory: Observatory) -> None:
    guard = Pipeline("metrics.threads", CircuitBreaker(failure_threshold=1_000_000))
    calls = 300

    def work(number: int) -> None:
        for turn in range(calls):
            try:
                if (turn + number) % 2:
                    guard.call(fail)
                else:
                    guard.call(len, "")
            except OSError:
                continue

    in_eight_threads(work)
    executions = of(observatory.points("resilience.executions"), "metrics.threads")
    assert sorted(executions.values()) == [8 * calls // 2, 8 * calls // 2]
    assert sum(of(observatory.points("resilience.attempts"), "metrics.threads").values()) == 8 * calls


def test_no_addition_is_lost(observatory: Observatory) -> None:
    additions = 4_000

    def work(number: int) -> None:
        for _ in range(additions):
            observatory.telemetry.counts.add(names.EXECUTIONS, "metrics.additions", "failure", None, True)

    in_eight_threads(work)
    assert list(of(observatory.points("resilience.executions"), "metrics.additions").values()) == [
        8 * additions
    ]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_counts_from_zero(observatory: Observatory) -> None:
    Pipeline("metrics.forked").call(len, "")
    table = observatory.telemetry.counts
    with table._lock:  # as if another thread were counting at the moment of the fork
        child = os.fork()
        if child == 0:
            inherited = sum(table.read(names.EXECUTIONS).values())
            table.add(names.EXECUTIONS, "metrics.forked", "success", None, True)
            os._exit(inherited * 10 + sum(table.read(names.EXECUTIONS).values()))
    _, code = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(code) == 1
    assert sum(of(observatory.points("resilience.executions"), "metrics.forked").values()) == 1


def test_a_child_that_python_was_not_told_of_counts_from_zero_too(
    observatory: Observatory, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = observatory.telemetry.counts
    table.add(names.EXECUTIONS, "parent", "success", None, True)
    monkeypatch.setattr(os, "getpid", lambda: -1)
    table.add(names.EXECUTIONS, "child", "success", None, True)
    assert table.read(names.EXECUTIONS) == {("child", "success", None, True): 1}


def test_a_policy_that_cannot_be_read_spoils_no_collection(
    own: Observatory, policies: Inventory, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaker = CircuitBreaker()
    policies.add("circuit_breaker", "well", breaker)

    def broken(budget: RetryBudget) -> float:
        raise RuntimeError("no reading")

    monkeypatch.setattr(RetryBudget, "limit", property(broken))
    budget = RetryBudget()
    policies.add("retry_budget", "broken", budget)
    assert own.points("resilience.circuit_breaker.status") == status("well", closed=1)
    assert own.points("resilience.retry_budget.limit") == {}
