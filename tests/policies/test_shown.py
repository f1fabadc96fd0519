"""A policy shows what was said of it, in words that would make it again."""

from __future__ import annotations

import pytest

from otel_resilience import (
    Backoff,
    Bulkhead,
    CircuitBreaker,
    Pipeline,
    RateLimiter,
    Retry,
    Timeout,
)


@pytest.mark.parametrize(
    "text",
    [
        "CircuitBreaker('shown-a', failure_rate=0.5, window_calls=50, minimum_calls=10, recovery_timeout=10)",
        "CircuitBreaker('shown-b', failure_threshold=5, failures=(OSError, KeyError))",
        "Retry('shown-c', on=OSError, max_attempts=2, backoff=Backoff(initial=0.5, jitter='none'))",
        "Retry('shown-d', on=(OSError,))",
        "Bulkhead('shown-e', max_concurrency=5)",
        "RateLimiter('shown-f', rate=10)",
        "Timeout(2)",
    ],
)
def test_what_is_shown_makes_it_again(text: str) -> None:
    known = {kind.__name__: kind for kind in (Backoff, Bulkhead, CircuitBreaker, RateLimiter, Retry, Timeout)}
    assert repr(eval(text, known)) == text  # the text of this test


def test_a_pipeline_is_described_line_by_line_outermost_first() -> None:
    pipeline = Pipeline(
        "shown", Timeout(2.0), Retry(on=OSError), CircuitBreaker(failure_threshold=3), mode="shadow"
    )
    assert pipeline.describe().splitlines() == [
        "shown (shadow)",
        "  Timeout(2)",
        "  Retry('shown', on=OSError)",
        "  CircuitBreaker('shown', failure_threshold=3)",
    ]
