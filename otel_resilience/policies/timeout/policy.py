"""The timeout as a strategy: a deadline around what is inside, and the truth about how it ended."""

from __future__ import annotations

from typing import Any

from otel_resilience import classify
from otel_resilience.context import deadline
from otel_resilience.errors.adopt import mark_timed_out
from otel_resilience.events import ExecutionTimedOut
from otel_resilience.exceptions import (
    BulkheadFullError,
    ConfigurationError,
    DeadlineExceededError,
    ServiceTimeoutError,
)
from otel_resilience.flow.call import Call
from otel_resilience.flow.effects import Bounded, Flow, Proceed, Within
from otel_resilience.flow.guard import Guard
from otel_resilience.flow.workers import WorkerPool
from otel_resilience.listener import LISTENERS
from otel_resilience.outcome import Failure, Result, Success
from otel_resilience.policies import checks


class Timeout(Guard):
    """Ends a call after ``seconds``.

    In asyncio the task is cancelled. A thread cannot be interrupted: there it is a deadline that everything
    inside sees (``Deadline``, guarded clients, retries), and a result that comes too late is still returned,
    as outcome ``timeout``. Either way an end by the deadline raises ``ServiceTimeoutError`` from what it
    interrupted; a call whose inherited deadline has passed already is refused with ``DeadlineExceededError``.
    An earlier inherited deadline stays in force.

    ``thread=True``: in threads the function runs in one of at most ``max_threads`` daemon threads of this
    policy, with a copy of the caller's context, and the caller is released in time; what hangs goes on
    behind, keeps its thread, and what it comes to is dropped. Where all threads are in use the call is
    refused with ``BulkheadFullError``. It changes nothing in asyncio. Raises ``ConfigurationError`` for a
    wrong option.
    """

    policy_type = "timeout"
    _shares_pool = False

    def __init__(self, seconds: float, *, thread: bool = False, max_threads: int = 16) -> None:
        self._seconds = checks.positive_seconds("Timeout", "seconds", seconds)
        if not isinstance(thread, bool):
            raise ConfigurationError(f"Timeout thread must be true or false, got {thread!r}")
        self._most = checks.at_least("Timeout", "max_threads", max_threads, 1)
        self._thread = thread
        self._pool = WorkerPool("timeout", self._most) if thread else None

    @classmethod
    def in_pool(cls, seconds: float, pool: WorkerPool) -> Timeout:
        """``Timeout(seconds, thread=True)`` that shares the threads of ``pool`` with others."""
        timeout = cls(seconds)
        timeout._thread, timeout._most, timeout._pool = True, pool.most, pool
        timeout._shares_pool = True
        return timeout

    def bind(self, name: str) -> None:
        if self._name is None and self._pool is not None and not self._shares_pool:
            self._pool.name = f"{name} timeout"
        super().bind(name)

    @property
    def seconds(self) -> float:
        return self._seconds

    @property
    def thread(self) -> bool:
        """Whether a thread is released in time."""
        return self._thread

    @property
    def guards_blocks(self) -> bool:  # type: ignore[override]  # a block cannot be moved to another thread
        return not self._thread

    def flow(self, call: Call, proceed: Proceed) -> Flow:
        if not call.enforced:
            return (yield from self._shadow(call, proceed))
        left = deadline.remaining()
        if left == 0.0:
            error = DeadlineExceededError(f"{call.name} was not called: its deadline had passed")
            return call.reject(error, policy_type=self.policy_type, reason="deadline_exceeded")
        # Before any attempt was made the whole call is bounded, within a retry each attempt is. Only the end of an
        # attempt with time left for another one may be retried.
        of_attempt = call.retrying and (left is None or self._seconds < left)
        seconds = self._seconds if left is None else min(self._seconds, left)
        outer = call.expires_at
        expires_at = call.clock.monotonic() + seconds
        call.expires_at = expires_at if outer is None else min(outer, expires_at)
        try:
            bounded: Bounded = yield Within(seconds, proceed(), self._pool)
        finally:
            call.expires_at = outer
        if bounded.saturated:
            full = BulkheadFullError(
                f"{call.name} was not called: all {self._most} threads of its timeout are in use"
            )
            return call.reject(full, policy_type=self.policy_type, reason="bulkhead_full")
        if not bounded.expired:
            return bounded.result
        return self._ended(call, bounded, seconds, retryable=of_attempt)

    def _ended(self, call: Call, bounded: Bounded, seconds: float, *, retryable: bool) -> Result[Any]:
        result = bounded.result
        if isinstance(result, Success):
            call.late = True
        elif self._met_the_deadline(call, bounded, result.error):
            error = ServiceTimeoutError(f"{call.name} took longer than {seconds:g} s", retryable=retryable)
            error.__cause__ = result.error
            result = Failure(error)
        elif isinstance(result.error, Exception) and not classify.is_rejection(result.error):
            # Its own failure, never replaced; but it came too late, and that is what it is reported as.
            mark_timed_out(result.error, retryable=retryable)
            call.forget_reading()
        else:
            return result
        self._announce(call, seconds, enforced=True)
        return result

    def _met_the_deadline(self, call: Call, bounded: Bounded, error: BaseException) -> bool:
        return (
            bounded.interrupted
            or isinstance(error, DeadlineExceededError | ServiceTimeoutError)
            or call.dialect.is_timeout(error)
        )

    def _shadow(self, call: Call, proceed: Proceed) -> Flow:
        began = call.clock.monotonic()
        result = yield from proceed()
        if call.clock.monotonic() - began >= self._seconds:
            self._announce(call, self._seconds, enforced=False)
        return result

    def _announce(self, call: Call, seconds: float, *, enforced: bool) -> None:
        LISTENERS.announce(ExecutionTimedOut(name=call.name, seconds=seconds, enforced=enforced))

    def __repr__(self) -> str:
        return f"Timeout({self._seconds:g}{', thread=True' if self._thread else ''})"
