"""What a breaker costs."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable

import pytest

from otel_resilience import CircuitBreaker, CircuitOpenError

KIB = 1024


def cost_of(make: Callable[[], object]) -> int:
    """Bytes that are held after ``make`` while its result is."""
    make()  # whatever is made once for all
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        held = make()
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
        del held
        return after - before
    finally:
        tracemalloc.stop()


def succeed() -> None:
    return None


def fail() -> None:
    raise OSError


def test_a_breaker_with_a_full_window_of_a_hundred_calls_takes_at_most_four_kib() -> None:
    def make() -> CircuitBreaker:
        breaker = CircuitBreaker("weighed", failure_rate=1.0, window_calls=100)
        for _ in range(150):
            breaker.call(succeed)
        with pytest.raises(OSError):
            breaker.call(fail)
        return breaker

    assert cost_of(make) <= 4 * KIB


def test_ten_thousand_keyed_breakers_take_at_most_forty_mib() -> None:
    def make() -> CircuitBreaker:
        parent = CircuitBreaker("many", failure_rate=1.0, window_calls=100)
        for number in range(10_000):
            keyed = parent.for_key(number)
            for _ in range(3):
                keyed.call(succeed)
        return parent

    assert cost_of(make) <= 40 * KIB * KIB


def test_a_full_window_of_ten_thousand_keys_is_within_the_bound_too() -> None:
    def make() -> CircuitBreaker:
        parent = CircuitBreaker("one of many", failure_rate=1.0, window_calls=100)
        for number in range(100):
            keyed = parent.for_key(number)
            for _ in range(100):
                keyed.call(succeed)
        return parent

    assert cost_of(make) <= 100 * 4 * KIB


def test_rejections_leave_nothing_behind() -> None:
    breaker = CircuitBreaker("refusing")
    breaker.force_open()

    def make() -> None:
        for _ in range(2_000):
            with pytest.raises(CircuitOpenError):
                breaker.call(succeed)

    assert cost_of(make) <= 8 * KIB
