"""Bad options, and what may be guarded."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from typing import Any

import pytest

from otel_resilience import (
    Backoff,
    Bulkhead,
    CircuitBreaker,
    ConfigurationError,
    Hedge,
    Pipeline,
    Retry,
    RetryBudget,
    Timeout,
)
from tests.flow.flaky import Flaky
from tests.worlds import World


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
        (
            lambda: Pipeline("p", Pipeline("i", mode="shadow")),
            "policies must be policies, or pipelines without",
        ),
        (lambda: Pipeline("p", Pipeline("i", mode="off")), "policies must be policies, or pipelines without"),
        (lambda: Pipeline("p", Pipeline("i", trace=True)), "policies must be policies, or pipelines without"),
    ],
)
def test_a_bad_option_is_one_clear_error(build: Callable[[], Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as caught:
        build()
    assert isinstance(caught.value, ValueError)


def test_what_cannot_be_guarded_gives_a_policy_no_name() -> None:
    breaker = CircuitBreaker()
    with pytest.raises(TypeError):
        breaker(property(lambda self: 1))  # type: ignore[call-overload]  # the point
    assert breaker.name is None


@pytest.mark.parametrize("seconds", [1e10, 1e300, 10**300])
def test_a_wait_may_be_longer_than_a_machine_can_count(seconds: float, world: World) -> None:
    guards = [
        Timeout(seconds),
        Timeout(seconds, thread=True),
        Hedge(after=seconds),
        Bulkhead(max_concurrency=1, max_queue=1, max_wait=seconds),
        CircuitBreaker(hang_seconds=seconds, window_seconds=seconds),
    ]
    assert [world.call(guard, Flaky(0)) for guard in guards] == ["done"] * 5


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there is no timer here")
def test_a_sleep_may_be_longer_than_a_machine_can_count() -> None:
    def wake(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    guard = Retry(on=OSError, backoff=Backoff(initial=1e300, max=1e300, jitter="none"))
    before = signal.signal(signal.SIGALRM, wake)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    try:
        with pytest.raises(KeyboardInterrupt):
            guard.call(Flaky(1))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize(
    "build", [lambda: Retry(), lambda: CircuitBreaker(no_such_option=1), lambda: Timeout()]
)
def test_a_missing_or_unknown_option_is_a_type_error(build: Callable[[], Any]) -> None:
    with pytest.raises(TypeError):
        build()
