"""The fault injector as a strategy: failures that were asked for, which look like those of the dependency."""

from __future__ import annotations

import copy
import logging
import threading
from typing import Any

from otel_resilience import chance
from otel_resilience.context import deadline
from otel_resilience.events import FaultInjected
from otel_resilience.exceptions import DeadlineExceededError, FaultInjectedError
from otel_resilience.flow.call import Call, attempt
from otel_resilience.flow.effects import Flow, Proceed, Sleep
from otel_resilience.flow.guard import Guard
from otel_resilience.forking import forget_after_fork
from otel_resilience.listener import LISTENERS
from otel_resilience.outcome import Failure, Result, Success
from otel_resilience.policies.fault.options import NO_RESULT, Error, FaultInjectorOptions, When
from otel_resilience.policies.shown import shown

_log = logging.getLogger("otel_resilience")


class FaultInjector(Guard):
    """Makes calls slow, fail or answer something else, on purpose.

    A share of ``rate`` of the calls (all by default), and of them those for which ``when(args, kwargs)`` is
    true, meets the fault: it takes ``latency`` seconds, then ends with ``error`` (an exception, its type or a
    factory) or ``result``. With ``latency`` alone the call then goes on; with none of the three it raises
    ``FaultInjectedError``. At most ``max_concurrency`` faults are active at once; calls beyond that are left
    in peace. To the policies around it a fault is an attempt, so that breakers and retries do what they
    would. Every fault is an event on the span, so that nobody takes it for a real one. Raises
    ``ConfigurationError`` for a wrong option. Safe for threads and tasks.
    """

    policy_type = "fault"

    def __init__(
        self,
        *,
        rate: float = 1.0,
        latency: float | None = None,
        error: Error | None = None,
        result: Any = NO_RESULT,
        when: When | None = None,
        max_concurrency: int | None = None,
    ) -> None:
        self._options = FaultInjectorOptions(
            rate=rate, latency=latency, error=error, result=result, when=when, max_concurrency=max_concurrency
        )
        self.forget()
        forget_after_fork(self)

    def forget(self) -> None:
        """Know of no fault that is active, with a lock that nobody holds."""
        self._lock = threading.Lock()  # guards the number of active faults
        self._active = 0

    @property
    def options(self) -> FaultInjectorOptions:
        return self._options

    @property
    def active(self) -> int:
        """Faults that run now."""
        return self._active

    def flow(self, call: Call, proceed: Proceed) -> Flow:
        if not call.enforced or not self._strikes(call) or not self._take():
            return (yield from proceed())
        lock = self._lock
        try:
            if self._options.only_delays and self._has_time():
                result = yield from self._announced(call, self._delay(call, proceed))
            else:
                result = yield from attempt(call, lambda: self._announced(call, self._stand_in(call)))
        finally:
            self._give_back(lock)
        return result

    def _strikes(self, call: Call) -> bool:
        if not self._is_meant(call):
            return False
        return self._options.rate >= 1.0 or chance.draw() < self._options.rate

    def _is_meant(self, call: Call) -> bool:
        when = self._options.when
        try:
            return when is None or bool(when(call.arguments.args, call.arguments.kwargs))
        except Exception:
            # A user's predicate. A game day that is set up wrongly must not become an outage.
            _log.exception("a predicate of fault injector %r raised; the call is left in peace", self._name)
            return False

    def _delay(self, call: Call, proceed: Proceed) -> Flow:
        """Slow first, then whatever the dependency does."""
        yield Sleep(self._latency)
        return (yield from proceed())

    def _stand_in(self, call: Call) -> Flow:
        """In the place of the dependency; as a client with a time limit meets it: given up when the deadline comes first."""
        if not self._has_time():
            yield Sleep(deadline.remaining() or 0.0)
            return Failure(
                DeadlineExceededError(f"the deadline of {call.name} passed during an injected latency")
            )
        yield Sleep(self._latency)
        if self._options.result is not NO_RESULT:
            return Success(self._options.result)
        return Failure(self._make_error(call))

    @property
    def _latency(self) -> float:
        return self._options.latency or 0.0

    def _has_time(self) -> bool:
        left = deadline.remaining()
        return left is None or self._latency < left

    def _announced(self, call: Call, flow: Flow) -> Flow:
        began = call.clock.monotonic()

        def ended(result: Result[Any]) -> None:
            outcome = call.outcome_of(result, begun=True, elapsed=call.clock.monotonic() - began)
            LISTENERS.announce(
                FaultInjected(
                    name=call.name,
                    outcome=outcome,
                    latency=self._latency,
                    error_type=call.dialect.read(result).error_type,
                )
            )

        try:
            result = yield from flow
        except BaseException as error:
            ended(Failure(error))
            raise
        ended(result)
        return result

    def _make_error(self, call: Call) -> BaseException:
        error = self._options.error
        if error is None:
            return FaultInjectedError(f"a fault was injected into {call.name}")
        if isinstance(error, BaseException):
            return _fresh(error)
        try:
            made = error()
        except Exception as raised:  # the factory's own exception is as good a fault
            return raised
        if isinstance(made, BaseException):
            return made
        return TypeError(f"FaultInjector error must make an exception, got {made!r}")

    def _take(self) -> bool:
        most = self._options.max_concurrency
        with self._lock:
            if most is not None and self._active >= most:
                return False
            self._active += 1
            return True

    def _give_back(self, lock: threading.Lock) -> None:
        if lock is self._lock:  # else the fault began in the parent of this process, and is not among ours
            with lock:
                self._active -= 1

    def __repr__(self) -> str:
        return shown("FaultInjector", None, self._options)


def _fresh(error: BaseException) -> BaseException:
    """A copy of one exception, as a shared one would collect the tracebacks of everybody who met it."""
    try:
        twin = copy.copy(error)
    except Exception:  # its class cannot be made again from its arguments
        twin = error
    return twin.with_traceback(None) if isinstance(twin, BaseException) else error
