"""Answers a flow's effects for threads: one of the two places that wait."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable
from typing import Any

from otel_resilience.clock import Clock
from otel_resilience.context import deadline
from otel_resilience.flow.bounded import BoundedInvocation
from otel_resilience.flow.effects import Bounded, Effect, Flow, Invoke, Race, Run, Sleep, Wait, Within
from otel_resilience.flow.sync_race import race
from otel_resilience.outcome import Failure, Result, Success


def drive(flow: Flow, invoke: Callable[[], Any], clock: Clock) -> Result[Any]:
    """Run ``flow`` to its result in this thread.

    A thread cannot be interrupted: ``Within`` is a deadline that everything inside sees and may keep to.
    """
    try:
        return _drive(flow, invoke, clock)
    finally:
        flow.close()  # only Ctrl-C between two effects has left it open: it lets go of what it holds


def _drive(flow: Flow, invoke: Callable[[], Any], clock: Clock) -> Result[Any]:
    answer: Any = None
    interruption: BaseException | None = None
    while True:
        try:
            effect: Effect = flow.send(answer) if interruption is None else flow.throw(interruption)
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]  # kept in no name: see ``unwrap``
        finally:
            answer = interruption = None
        if isinstance(effect, Invoke):
            answer = _invoke(invoke)
        elif isinstance(effect, Run):
            answer = run(effect.function)
        elif isinstance(effect, Sleep):
            interruption = sleep(effect.seconds, clock)
        elif isinstance(effect, Wait):
            interruption = wait(effect, clock)
            answer = True
        elif isinstance(effect, Race):
            try:
                answer = race(effect, lambda branch: drive(branch, invoke, clock), clock)
            except BaseException as error:  # Ctrl-C while waiting for threads
                interruption = error
        else:
            try:
                answer = _within(effect, invoke, clock)
            except BaseException as error:  # an interrupted wait inside: the flows around it let go as well
                interruption = error


def _within(effect: Within, invoke: Callable[[], Any], clock: Clock) -> Bounded:
    worker = None
    if effect.pool is not None:
        worker = effect.pool.reserve()
        if worker is None:
            effect.flow.close()
            return Bounded(Failure(RuntimeError("no thread is free")), expired=False, saturated=True)
    bounded = invoke if worker is None else BoundedInvocation(worker, invoke)
    token = deadline.tighten(effect.seconds)
    try:
        result = drive(effect.flow, bounded, clock)
        abandoned = isinstance(bounded, BoundedInvocation) and bounded.abandoned
        try:
            return Bounded(result, expired=abandoned or deadline.remaining() == 0.0)
        finally:
            del result  # see ``unwrap``
    finally:
        deadline.restore(token)
        if worker is not None:
            worker.release()


def _invoke(invoke: Callable[[], Any]) -> Result[Any]:
    try:
        return Success(invoke())
    except BaseException as error:  # every end is a value until the edge, Ctrl-C too: unwrap raises it again
        return Failure(error)


def run(function: Callable[[], Any]) -> Result[Any]:
    """Call ``function`` where nothing can be awaited: an awaitable is a ``TypeError``, said at once."""
    result = _invoke(function)
    if isinstance(result, Success) and inspect.isawaitable(result.value):
        if inspect.iscoroutine(result.value):
            result.value.close()
        return Failure(
            TypeError(f"{function!r} gave an awaitable, which a call in a thread cannot await: use acall()")
        )
    return result


def wait(effect: Wait, clock: Clock) -> BaseException | None:
    """Wait in this thread; what interrupted it, if anything did."""
    if effect.wakeup is None:
        return sleep(effect.seconds or 0.0, clock)
    woken = threading.Event()
    effect.wakeup.subscribe(woken.set)
    try:
        clock.wait(woken, effect.seconds)
    except BaseException as error:  # thrown into the flow, so that it lets go of what it holds
        return error
    return None


def sleep(seconds: float, clock: Clock) -> BaseException | None:
    # A zero delay does not sleep: time.sleep(0) costs 70 µs of timer slack.
    if seconds <= 0:
        return None
    try:
        clock.sleep(seconds)
    except BaseException as error:  # thrown into the flow, so that it lets go of what it holds
        return error
    return None
