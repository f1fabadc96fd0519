"""Orders that are known to be wrong are said, and nothing else is."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from otel_resilience import CircuitBreaker, Fallback, FaultInjector, Hedge, Pipeline, Retry, Timeout


def retry() -> Retry:
    return Retry(on=OSError)


@pytest.mark.parametrize(
    ("policies", "warnings"),
    [
        ([CircuitBreaker, retry], ["circuit_breaker is around retry: "]),
        ([CircuitBreaker, lambda: Hedge(after=1.0)], ["circuit_breaker is around hedge: "]),
        ([CircuitBreaker, lambda: Fallback(1)], ["circuit_breaker is around fallback: "]),
        ([retry, lambda: Fallback(1)], ["retry is around fallback: "]),
        ([retry, retry, retry], ["retry is around retry: attempts multiply"]),
        ([retry, lambda: Hedge(after=1.0)], ["retry is around hedge: attempts multiply"]),
        ([lambda: Timeout(1.0), lambda: Fallback(1)], ["timeout is around fallback: "]),
        ([FaultInjector, CircuitBreaker], ["fault is around circuit_breaker: "]),
        (
            [FaultInjector, CircuitBreaker, lambda: Timeout(1)],
            ["fault is around circuit", "fault is around timeout"],
        ),
        ([CircuitBreaker, lambda: Pipeline("inner", retry())], ["circuit_breaker is around retry: "]),
        ([lambda: Timeout(1.0), lambda: Timeout(1.0)], ["a timeout of 1 s is inside one of 1 s"]),
        (
            [lambda: Timeout(1.0), retry, lambda: Timeout(0.5), lambda: Timeout(0.7)],
            ["a timeout of 0.7 s is inside"],
        ),
        (
            [
                lambda: Fallback(1),
                lambda: Timeout(2.0),
                retry,
                CircuitBreaker,
                lambda: Timeout(0.5),
                FaultInjector,
            ],
            [],
        ),
    ],
)
def test_orders(policies: list[Any], warnings: list[str], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "otel_resilience"):
        pipeline = Pipeline("order", *(make() for make in policies))
    assert len(pipeline.warnings) == len(warnings)
    for said, expected in zip(pipeline.warnings, warnings, strict=True):
        assert said.startswith(expected)
    assert [r.getMessage() for r in caplog.records] == [
        f"pipeline 'order': {said}" for said in pipeline.warnings
    ]
    assert pipeline.describe().count("warning: ") == len(warnings)
