"""Correlation by hand."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextvars import copy_context

import pytest

from otel_resilience import ConfigurationError, CorrelationManager, DomainError
from otel_resilience.testing import ManualClock


def test_ids_are_128_random_bits_and_nobodys_until_a_scope_takes_one() -> None:
    manager = CorrelationManager()
    ids = {manager.generate() for _ in range(100)}
    assert len(ids) == 100
    assert all(len(each) == 32 and int(each, 16) >= 0 for each in ids)
    assert manager.current() is None


def test_a_scope_takes_the_id_that_fits_and_replaces_the_one_that_does_not() -> None:
    manager = CorrelationManager()
    with manager.scope("order-42") as outer:
        assert outer == manager.current() == "order-42"
        for bad in ("", "a b", "x" * 129, "ü", "a\n", 7, None):
            with manager.scope(bad) as inner:  # type: ignore[arg-type]  # bad input is the point
                assert inner == CorrelationManager().current()
                assert inner != bad
                assert len(inner) == 32
        assert manager.current() == "order-42"
    assert manager.current() is None


async def test_scopes_work_for_tasks_which_do_not_see_each_other() -> None:
    manager = CorrelationManager()

    async def work(name: str) -> str | None:
        async with manager.scope(name):
            await asyncio.sleep(0)
            return manager.current()

    assert await asyncio.gather(*(work(f"r{number}") for number in range(5))) == [f"r{n}" for n in range(5)]
    assert manager.current() is None


def test_a_thread_does_not_see_anothers_id() -> None:
    manager = CorrelationManager()
    seen: list[str | None] = []
    with manager.scope("mine"):
        thread = threading.Thread(target=lambda: seen.append(manager.current()))
        thread.start()
        thread.join()
    assert seen == [None]


def test_the_way_of_a_request_is_outermost_first_and_ends_with_its_blocks() -> None:
    manager = CorrelationManager()
    with manager.enter("gateway", "checkout"):
        with manager.enter("orders", "place"):
            assert manager.request_path() == (("gateway", "checkout"), ("orders", "place"))
        assert manager.request_path() == (("gateway", "checkout"),)
    assert manager.request_path() == ()


def test_an_error_knows_its_request() -> None:
    manager = CorrelationManager()
    with ManualClock(wall=1_700_000_000.0), manager.scope("r1"), manager.enter("orders", "place"):
        error = manager.error("OUT_OF_STOCK", "none left")
    assert isinstance(error, DomainError)
    assert (error.error_code, str(error), error.correlation_id) == ("OUT_OF_STOCK", "none left", "r1")
    assert (error.service, error.request_path) == ("orders", (("orders", "place"),))
    assert error.timestamp.isoformat() == "2023-11-14T22:13:20+00:00"
    assert manager.error("X", "", service="stock").service == "stock"
    assert manager.error("X", "").correlation_id is None


def test_bad_names_are_one_clear_error() -> None:
    with pytest.raises(ConfigurationError, match="service must be a text that is not empty, got ''"):
        CorrelationManager().enter("", "x")
    with pytest.raises(ConfigurationError, match="UPPER_SNAKE"):
        CorrelationManager().error("lower", "x")


def test_a_scope_is_entered_once() -> None:
    scope = CorrelationManager().scope()
    with scope, pytest.raises(RuntimeError, match="entered once"), scope:
        pytest.fail("entered twice")


def test_a_block_that_is_left_in_another_context_only_ends() -> None:
    """A generator that a framework begins in one thread and ends in another, as FastAPI does with dependencies."""
    manager = CorrelationManager()

    def depends() -> Iterator[None]:
        with manager.scope("order-17"), manager.enter("orders", "place"):
            yield

    dependency = depends()
    copy_context().run(next, dependency)
    assert next(dependency, "ended") == "ended"
    assert (manager.current(), manager.request_path()) == (None, ())
