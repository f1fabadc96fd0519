"""Timeouts by operation."""

from __future__ import annotations

import asyncio
import threading
import time
from contextvars import ContextVar

import pytest

from otel_resilience import (
    BulkheadFullError,
    ConfigurationError,
    Deadline,
    ServiceTimeoutError,
    TimeoutHandler,
)


def test_each_operation_has_its_own_timeout() -> None:
    with TimeoutHandler(default=5.0, operations={"payments.charge": 0.5}) as handler:
        assert handler.timeout_of("payments", "charge") == 0.5
        assert handler.timeout_of("payments", "refund") == 5.0
        left = handler.call_with_timeout("payments", "charge", Deadline.current)
        assert left is not None
        assert left.remaining() <= 0.5


def test_the_caller_is_back_in_time_and_the_error_has_the_code() -> None:
    hanging = threading.Event()
    with TimeoutHandler(operations={"ledger.read": 0.05}) as handler:
        began = time.monotonic()
        with pytest.raises(ServiceTimeoutError) as caught:
            handler.call_with_timeout("ledger", "read", lambda: hanging.wait(30))
        assert time.monotonic() - began < 10
        assert caught.value.error_code == "SERVICE_TIMEOUT"
        hanging.set()


def test_a_service_that_hangs_takes_no_thread_from_the_others() -> None:
    hanging = threading.Event()
    with TimeoutHandler(default=0.05, max_threads=1) as handler:
        with pytest.raises(ServiceTimeoutError):
            handler.call_with_timeout("ledger", "read", lambda: hanging.wait(30))
        with pytest.raises(BulkheadFullError):
            handler.call_with_timeout("ledger", "read", lambda: None)
        assert handler.call_with_timeout("stock", "read", lambda: "fine", timeout=10.0) == "fine"
        hanging.set()


async def test_a_task_is_cancelled_in_time() -> None:
    handler = TimeoutHandler(default=0.05)
    with pytest.raises(ServiceTimeoutError):
        await handler.acall_with_timeout("ledger", "read", lambda: asyncio.sleep(30))
    assert await handler.acall_with_timeout("ledger", "read", lambda: 7) == 7


def test_the_context_goes_along_and_the_very_error_comes_back() -> None:
    name: ContextVar[str] = ContextVar("name")
    name.set("caller's")
    error = KeyError("mine")

    def fail() -> None:
        raise error

    with TimeoutHandler(default=10.0) as handler:
        assert handler.call_with_timeout("a", "b", name.get) == "caller's"
        with pytest.raises(KeyError) as caught:
            handler.call_with_timeout("a", "b", fail)
    assert caught.value is error


def test_closing_ends_every_thread_within_a_second() -> None:
    handler = TimeoutHandler(default=10.0)
    threads: list[threading.Thread] = []
    for service in ("a", "b", "c"):
        handler.call_with_timeout(service, "x", lambda: threads.append(threading.current_thread()))
    handler.close()
    for thread in threads:
        thread.join(1.0)
        assert not thread.is_alive()
    with pytest.raises(RuntimeError, match="is closed"):
        handler.call_with_timeout("a", "x", lambda: None)
    with pytest.raises(RuntimeError, match="is closed"):
        asyncio.run(handler.acall_with_timeout("a", "x", lambda: None))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"default": 0}, "TimeoutHandler default must be seconds > 0, got 0"),
        ({"operations": {"payments": 1.0}}, "must be named 'service.operation', got 'payments'"),
        ({"operations": {"a.b": -1}}, r"operations\['a.b'\] must be seconds > 0, got -1"),
        ({"operations": 5}, "operations must be seconds by 'service.operation', got 5"),
        ({"operations": [("a.b", 1.0)]}, "operations must be seconds by 'service.operation'"),
        ({"max_threads": 0}, "max_threads must be a whole number >= 1, got 0"),
    ],
)
def test_a_wrong_option_is_one_clear_error(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        TimeoutHandler(**options)  # type: ignore[arg-type]  # the point


def test_no_timeout_at_all_is_no_timeout_forgotten() -> None:
    with TimeoutHandler() as handler, pytest.raises(ConfigurationError, match=r"no timeout for a\.b"):
        handler.call_with_timeout("a", "b", lambda: None)
