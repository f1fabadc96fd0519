"""A policy shows what was said of it, in words that would make it again."""

from __future__ import annotations

from typing import Any

import pytest

import otel_resilience
from otel_resilience import (
    CircuitBreaker,
    ConfigurationError,
    Fallback,
    FaultInjector,
    Pipeline,
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
        "Timeout(2, thread=True)",
        "Timeout(2, thread=True, max_threads=3)",
        "Hedge(after=1)",
        "Hedge(after_quantile=0.9, max_hedges=2, budget=RetryBudget(ratio=0.5, min_per_second=1, window_seconds=10))",
        "Fallback('nothing')",
        "Fallback(None, on=(OSError,))",
        "Fallback.last_good()",
        "Fallback.last_good(max_age=60, on=OSError)",
        "FaultInjector()",
        "FaultInjector(rate=0.1, latency=0.3, error=OSError, max_concurrency=5)",
        "FaultInjector(result=None)",
        "Pipeline('shown-g', Timeout(2), CircuitBreaker('shown-h', failure_threshold=5))",
        "Pipeline('shown-i', Timeout(2), trace=True, mode='shadow')",
    ],
)
def test_what_is_shown_makes_it_again(text: str) -> None:
    known = {name: getattr(otel_resilience, name) for name in otel_resilience.__all__}
    assert repr(eval(text, known)) == text  # the text of this test


class Wordless:
    def __repr__(self) -> str:
        raise RuntimeError("no words")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("not comparable")

    __hash__ = None  # type: ignore[assignment]  # nor has it a hash


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Wordless(), "<Wordless>"),
        (10**5_000, "<int>"),
        ("a" * 1_000, f"'{'a' * 199}…"),
        ({"several": "lines\n"}, "{'several': 'lines\\n'}"),
    ],
    ids=["wordless", "many digits", "long", "lines"],
)
def test_a_value_is_shown_in_one_line_whatever_it_is(value: Any, text: str) -> None:
    assert Pipeline("shown", Fallback(value)).describe() == f"shown (enforce)\n  Fallback({text})"
    assert repr(FaultInjector(result=value)) == f"FaultInjector(result={text})"
    with pytest.raises(ConfigurationError) as caught:
        Timeout(value)
    assert str(caught.value) == f"Timeout seconds must be seconds > 0, got {text}"


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
    assert Pipeline("shown", trace=True).describe() == "shown (enforce, traced)"
