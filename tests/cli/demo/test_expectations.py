"""What must be so, against a made-up shop that tells the truth and against the same shop with one lie."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from otel_resilience.cli.demo.check import Check
from otel_resilience.cli.demo.customer import Phase
from otel_resilience.cli.demo.expectations import check
from otel_resilience.cli.demo.fault import DATABASE_LOST, Fault, read_fault
from otel_resilience.cli.demo.story import tell
from otel_resilience.cli.demo.telemetry import Span
from otel_resilience.telemetry import names
from tests.cli.demo.scene import Scene, plan_of

FAULTS = [
    DATABASE_LOST,
    *map(
        read_fault,
        [
            "ledger=DISK_FULL",
            "ledger=HTTP_503",
            "payments=CARD_DECLINED",
            "orders=SOLD_OUT",
            "gateway=INTERNAL",
        ],
    ),
]


def broken(scene: Scene) -> list[Check]:
    """The checks that do not hold of ``scene``."""
    return [each for each in check(scene.plan, tell(scene.visit, scene.telemetry)) if not each.holds]


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_shop_that_tells_the_truth_passes(fault: Fault) -> None:
    assert broken(Scene(plan_of(fault))) == []


def _entry_of(phase: Phase) -> Callable[[Span], bool]:
    return lambda span: (
        span.parent_id is None and str(span.attributes[names.CORRELATION_ID]).startswith(phase)
    )


def _lie_root(scene: Scene) -> None:
    _change_attribute(scene, _entry_of(Phase.FAILING), names.ERROR_ROOT_SERVICE, "payments")


def _lie_chain(scene: Scene) -> None:
    _change_attribute(scene, _entry_of(Phase.FAILING), names.ERROR_CHAIN_SERVICES, ["ledger", "gateway"])


def _lie_root_span(scene: Scene) -> None:
    _change_attribute(scene, _entry_of(Phase.FAILING), names.ERROR_ROOT_SPAN_ID, "f" * 16)


def _lie_resend_count(scene: Scene) -> None:
    _change_attribute(
        scene, lambda span: names.HTTP_RESEND_COUNT in span.attributes, names.HTTP_RESEND_COUNT, 7
    )


def _lie_cause(scene: Scene) -> None:
    _change_attribute(
        scene, lambda span: names.REJECTION_REASON in span.attributes, names.CAUSE_TRACE_ID, "0" * 32
    )


def _lie_correlation(scene: Scene) -> None:
    _change_attribute(scene, lambda span: span is scene.spans[3], names.CORRELATION_ID, "another")


def _lie_double_span(scene: Scene) -> None:
    client = next(span for span in scene.spans if span.kind == "CLIENT")
    scene.spans.append(replace(client, span_id="e" * 16, parent_id=client.span_id))


def _lie_lost_span(scene: Scene) -> None:
    scene.spans.remove(next(span for span in scene.spans if span.kind == "CLIENT"))


def _lie_missing_trace(scene: Scene) -> None:
    trace_id = scene.spans[0].trace_id
    scene.spans = [span for span in scene.spans if span.trace_id != trace_id]


def _lie_error_while_healthy(scene: Scene) -> None:
    scene.change(lambda span: span is scene.spans[2], status="ERROR")


def _lie_transition(scene: Scene) -> None:
    scene.change(lambda span: len(span.events) == 2, events=())


def _lie_log(scene: Scene) -> None:
    scene.logs.pop()


def _lie_status(scene: Scene) -> None:
    scene.points = [
        replace(point, value=0) if point.attributes.get(names.BREAKER_STATE) == "open" else point
        for point in scene.points
    ]


def _lie_executions(scene: Scene) -> None:
    scene.points.remove(next(point for point in scene.points if point.name == names.EXECUTIONS.name))


def _lie_config(scene: Scene) -> None:
    scene.points.remove(next(point for point in scene.points if point.name == names.CONFIG_STATUS.name))


def _lie_answer(scene: Scene) -> None:
    scene.checkouts[-1] = replace(scene.checkouts[-1], status=None)


def _lie_too_slow(scene: Scene) -> None:
    scene.failing_after_opening = scene.plan.policies.recovery_timeout


def _change_attribute(scene: Scene, wanted: Callable[[Span], bool], name: str, value: object) -> None:
    found = [span for span in scene.spans if wanted(span)]
    assert found
    for span in found:
        scene.spans[scene.spans.index(span)] = replace(span, attributes={**span.attributes, name: value})


LIES = {
    _lie_root: "resilience.error.root.service on the gateway's SERVER span",
    _lie_chain: "resilience.error.chain.services on the gateway's SERVER span",
    _lie_root_span: "resilience.error.root.span_id on the gateway's SERVER span",
    _lie_resend_count: "http.request.resend_count of the reads",
    _lie_cause: "what opened the circuit, on the rejected call",
    _lie_correlation: "correlation ids on its spans",
    _lie_double_span: "what is around the CLIENT span POST of gateway",
    _lie_lost_span: "spans without a parent",
    _lie_missing_trace: "there is a trace",
    _lie_error_while_healthy: "spans with an error",
    _lie_transition: "transitions of the breaker",
    _lie_log: "transitions told by log records and by span events",
    _lie_status: "orders: resilience.circuit_breaker.status was 1 for open at some time",
    _lie_executions: "orders: resilience.executions of payments by outcome",
    _lie_config: "gateway: its policy file is valid (resilience.config.status)",
    _lie_answer: "checkouts of the recovered phase",
    _lie_too_slow: "the failing phase ends before the recovery_timeout",
}


@pytest.mark.parametrize(("lie", "found"), LIES.items(), ids=lambda each: getattr(each, "__name__", ""))
def test_each_lie_is_found(lie: Callable[[Scene], None], found: str) -> None:
    scene = Scene(plan_of())

    lie(scene)

    assert any(each.what.startswith(found) for each in broken(scene))
