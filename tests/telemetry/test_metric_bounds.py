"""However many names, types and roots there are, the metrics stay bounded."""

from __future__ import annotations

from otel_resilience.errors.chain import ErrorChain
from otel_resilience.errors.hop import Hop
from otel_resilience.events import ExecutionFinished
from otel_resilience.listener import LISTENERS
from otel_resilience.outcome import Outcome
from otel_resilience.telemetry import counts, names
from tests.telemetry.observatory import Observatory, attributes
from tests.telemetry.points import of


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
        observatory.telemetry.errors.count(chain, "500")
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
