"""Bad options, and what may be guarded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from otel_resilience import (
    Backoff,
    CircuitBreaker,
    ConfigurationError,
    Pipeline,
    Retry,
    RetryBudget,
    Timeout,
)


def test_call_refuses_a_coroutine_function() -> None:
    async def coroutine() -> None: ...

    with pytest.raises(TypeError, match="use acall"):
        Pipeline("p").call(coroutine)


def test_decorating_keeps_name_signature_and_method_binding() -> None:
    class Shop:
        @CircuitBreaker()
        def charge(self, amount: int, *, currency: str = "EUR") -> str:
            """Charge it."""
            return f"{amount} {currency}"

        @Retry(on=OSError)
        async def acharge(self, amount: int) -> int:
            return amount

    assert Shop().charge(3, currency="CHF") == "3 CHF"
    assert asyncio.run(Shop().acharge(4)) == 4
    assert (Shop.charge.__name__, Shop.charge.__doc__) == ("charge", "Charge it.")
    assert asyncio.iscoroutinefunction(Shop.acharge)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Timeout(0), "Timeout seconds must be seconds > 0, got 0"),
        (lambda: Timeout(True), "Timeout seconds must be seconds > 0, got True"),
        (lambda: CircuitBreaker(failure_threshold=0), "failure_threshold must be a whole number >= 1, got 0"),
        (
            lambda: CircuitBreaker(recovery_max=1.0),
            r"recovery_max must be >= recovery_timeout \(30\), got 1.0",
        ),
        (lambda: CircuitBreaker(failures="x"), "failures must be exception types or a predicate, got 'x'"),
        (lambda: CircuitBreaker(""), "name must be a text that is not empty, got ''"),
        (lambda: Retry(on=OSError, max_attempts=0), "max_attempts must be a whole number >= 1, got 0"),
        (lambda: Retry(on=()), r"on must be exception types or a predicate, got \(\)"),
        (lambda: Backoff(jitter="some"), "jitter must be one of full, equal, decorrelated, none, got 'some'"),
        (lambda: RetryBudget(ratio=-1), "ratio must be a number >= 0, got -1"),
        (lambda: Pipeline("p", mode="loud"), "mode must be one of enforce, shadow, off, got 'loud'"),
        (lambda: Pipeline("p", object()), "policies must be policies"),  # type: ignore[arg-type]  # the point
    ],
)
def test_a_bad_option_is_one_clear_error(build: Callable[[], Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as caught:
        build()
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    "build", [lambda: Retry(), lambda: CircuitBreaker(no_such_option=1), lambda: Timeout()]
)
def test_a_missing_or_unknown_option_is_a_type_error(build: Callable[[], Any]) -> None:
    with pytest.raises(TypeError):
        build()
