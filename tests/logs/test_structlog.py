"""The correlation id in the events of a real structlog."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from structlog.testing import LogCapture

from otel_resilience import CorrelationManager
from otel_resilience.logs import add_correlation_id

manager = CorrelationManager()


@pytest.fixture
def captured() -> Iterator[list[Any]]:
    """What a logger set up as structlog's pages advise has logged, event by event."""
    capture = LogCapture()
    before = structlog.get_config()
    structlog.configure([structlog.contextvars.merge_contextvars, add_correlation_id, capture])
    yield capture.entries
    structlog.contextvars.clear_contextvars()
    structlog.configure(**before)


def test_an_event_has_the_id_of_its_request_and_no_such_key_outside_of_one(captured: list[Any]) -> None:
    log = structlog.get_logger()
    log.info("before")
    with manager.scope("order-42"):
        log.info("within", amount=3)
    assert captured == [
        {"event": "before", "log_level": "info"},
        {"event": "within", "log_level": "info", "amount": 3, "correlation_id": "order-42"},
    ]


@pytest.mark.parametrize("mine", ["mine", "", None])
def test_a_key_that_is_there_stays(mine: str | None, captured: list[Any]) -> None:
    with manager.scope("order-42"):
        structlog.get_logger().info("called", correlation_id=mine)
        structlog.get_logger().bind(correlation_id=mine).info("bound")
        structlog.contextvars.bind_contextvars(correlation_id=mine)
        structlog.get_logger().info("bound to the context")
    assert [each["correlation_id"] for each in captured] == [mine, mine, mine]


async def test_coroutines_log_the_id_of_their_own_task(captured: list[Any]) -> None:
    log = structlog.get_logger()

    async def work(name: str) -> None:
        async with manager.scope(name):
            await asyncio.sleep(0)
            # The processors run in another thread, with this task's context.
            await log.ainfo("working", name=name)

    await asyncio.gather(*(work(f"r{number}") for number in range(5)))
    assert sorted(each["name"] for each in captured) == [f"r{number}" for number in range(5)]
    assert [each for each in captured if each["name"] != each["correlation_id"]] == []


def test_behind_a_renderer_the_line_goes_out_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    log = structlog.wrap_logger(
        structlog.PrintLogger(), [structlog.processors.JSONRenderer(), add_correlation_id]
    )
    with manager.scope("order-42"):
        log.info("paid")
    assert json.loads(capsys.readouterr().out) == {"event": "paid"}


def test_records_of_the_standard_library_that_structlog_formats_have_it_too() -> None:
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[add_correlation_id],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    record = logging.LogRecord("shop", logging.INFO, __file__, 1, "paid", None, None)
    with manager.scope("order-42"):
        handler.handle(record)
    assert json.loads(written.getvalue()) == {"event": "paid", "correlation_id": "order-42"}
