"""The correlation id on records of ``logging``."""

from __future__ import annotations

import asyncio
import io
import logging
import logging.config
import logging.handlers
import queue
import sys
import threading
from collections.abc import Iterator

import pytest

from otel_resilience import CorrelationManager
from otel_resilience.logs import CorrelationFilter

FORMAT = "[%(correlation_id)s] %(message)s"

manager = CorrelationManager()


@pytest.fixture
def written() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def handler(written: io.StringIO) -> logging.Handler:
    """Writes to ``written`` by a format that fails where a record has no id."""
    handler = logging.StreamHandler(written)
    handler.setFormatter(logging.Formatter(FORMAT))
    return handler


@pytest.fixture
def logger(request: pytest.FixtureRequest) -> Iterator[logging.Logger]:
    """One of this test's own, which is left without handlers and filters."""
    logger = logging.getLogger(f"shop.{request.node.name}")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    yield logger
    logger.handlers.clear()
    logger.filters.clear()


@pytest.fixture(autouse=True)
def _errors_of_handlers_are_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    """A handler only prints that it could not format a record; here the test is to fail by it."""

    def reraise(handler: logging.Handler, record: logging.LogRecord) -> None:
        error = sys.exception()
        assert error is not None
        raise error

    monkeypatch.setattr(logging.Handler, "handleError", reraise)


@pytest.mark.parametrize("place", ["handler", "logger", "both"])
def test_a_line_has_the_id_of_its_request_and_none_outside_of_one(
    place: str, logger: logging.Logger, handler: logging.Handler, written: io.StringIO
) -> None:
    logger.addHandler(handler)
    if place != "logger":
        handler.addFilter(CorrelationFilter())
    if place != "handler":
        logger.addFilter(CorrelationFilter())
    logger.info("before")
    with manager.scope("order-42"):
        logger.info("within")
        with manager.scope("order-43"):
            logger.info("deeper")
    logger.info("after")
    assert written.getvalue().splitlines() == [
        "[] before",
        "[order-42] within",
        "[order-43] deeper",
        "[] after",
    ]


def test_without_it_the_format_fails(logger: logging.Logger, handler: logging.Handler) -> None:
    logger.addHandler(handler)
    with pytest.raises(ValueError, match="correlation_id"):
        logger.info("a line")


@pytest.mark.parametrize("mine", ["mine", "", None, 7])
def test_what_the_application_has_put_there_stays(
    mine: object, logger: logging.Logger, handler: logging.Handler, written: io.StringIO
) -> None:
    logger.addHandler(handler)
    handler.addFilter(CorrelationFilter())
    with manager.scope("order-42"):
        logger.info("paid", extra={"correlation_id": mine})
    assert written.getvalue() == f"[{mine}] paid\n"


def test_a_handler_sees_what_loggers_below_log_and_a_logger_does_not(
    logger: logging.Logger, handler: logging.Handler, written: io.StringIO
) -> None:
    logger.addHandler(handler)
    below = logger.getChild("payments")
    logger.addFilter(CorrelationFilter())
    with pytest.raises(ValueError, match="correlation_id"):
        below.info("a line")
    handler.addFilter(CorrelationFilter())
    below.info("a line")
    assert written.getvalue() == "[] a line\n"


def test_it_is_named_in_a_configuration(logger: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "filters": {"correlation": {"()": "otel_resilience.logs.CorrelationFilter"}},
            "formatters": {"line": {"format": FORMAT}},
            "handlers": {
                "console": {
                    "class": "logging.StreamHandler",
                    "stream": "ext://sys.stdout",
                    "formatter": "line",
                    "filters": ["correlation"],
                }
            },
            "loggers": {logger.name: {"handlers": ["console"], "level": "INFO", "propagate": False}},
        }
    )
    with manager.scope("order-42"):
        logger.info("paid")
    assert capsys.readouterr().out == "[order-42] paid\n"


@pytest.mark.parametrize(("place", "line"), [("queue", "[order-42] paid\n"), ("listener", "[] paid\n")])
def test_behind_a_queue_the_id_is_that_of_the_thread_that_logged_if_the_queues_handler_has_the_filter(
    place: str, line: str, logger: logging.Logger, handler: logging.Handler, written: io.StringIO
) -> None:
    waiting: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
    entrance = logging.handlers.QueueHandler(waiting)
    logger.addHandler(entrance)
    (entrance if place == "queue" else handler).addFilter(CorrelationFilter())
    listener = logging.handlers.QueueListener(waiting, handler)
    listener.start()
    with manager.scope("order-42"):
        logger.info("paid")
    listener.stop()
    assert written.getvalue() == line


def test_threads_and_tasks_have_their_own(
    logger: logging.Logger, handler: logging.Handler, written: io.StringIO
) -> None:
    handler.addFilter(CorrelationFilter())
    logger.addHandler(handler)
    together = threading.Barrier(4)

    def in_a_thread(name: str) -> None:
        with manager.scope(name):
            together.wait()
            for _ in range(50):
                logger.info(name)

    async def in_a_task(name: str) -> None:
        async with manager.scope(name):
            for _ in range(50):
                await asyncio.sleep(0)
                logger.info(name)

    async def tasks() -> None:
        await asyncio.gather(*(in_a_task(f"task-{number}") for number in range(4)))

    threads = [threading.Thread(target=in_a_thread, args=(f"thread-{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    asyncio.run(tasks())
    for thread in threads:
        thread.join()
    lines = written.getvalue().splitlines()
    assert len(lines) == 400
    assert [line for line in lines if line != "[{0}] {0}".format(line.partition("] ")[2])] == []


def test_what_cannot_hold_an_id_passes_as_it_is() -> None:
    with manager.scope("order-42"):
        assert CorrelationFilter().filter(object()) is True  # type: ignore[arg-type]  # the point of the test


def test_it_takes_no_name_which_would_drop_what_other_loggers_log() -> None:
    with pytest.raises(TypeError):
        CorrelationFilter("shop")  # type: ignore[call-arg]  # the point of the test
