"""Answers a flow's effects for asyncio: one of the two places that wait, and the only one that awaits."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from otel_resilience.clock import AsyncTimers, Clock, Timer
from otel_resilience.context import deadline
from otel_resilience.flow.effects import Bounded, Effect, Flow, Invoke, Sleep, Within
from otel_resilience.outcome import Failure, Result, Success


class LoopTimers:
    """The running event loop's own timers."""

    def asleep(self, seconds: float) -> Awaitable[None]:
        return asyncio.sleep(seconds)

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        return asyncio.get_running_loop().call_later(seconds, callback)


_LOOP_TIMERS = LoopTimers()


async def drive(flow: Flow, invoke: Callable[[], Any], clock: Clock) -> Result[Any]:
    """Run ``flow`` to its result in this task. ``invoke`` may return an awaitable or a plain value."""
    timers: AsyncTimers = clock if isinstance(clock, AsyncTimers) else _LOOP_TIMERS
    answer: Any = None
    interruption: BaseException | None = None
    while True:
        try:
            effect: Effect = flow.send(answer) if interruption is None else flow.throw(interruption)
        except StopIteration as stop:
            result: Result[Any] = stop.value
            return result
        answer = interruption = None
        if isinstance(effect, Invoke):
            answer = await _invoke(invoke)
        elif isinstance(effect, Sleep):
            interruption = await _sleep(effect.seconds, timers)
        else:
            try:
                answer = await _within(effect, invoke, clock, timers)
            except BaseException as error:  # an interrupted wait inside: the flows around it let go as well
                interruption = error


async def _invoke(invoke: Callable[[], Any]) -> Result[Any]:
    try:
        value = invoke()
        return Success(await value if inspect.isawaitable(value) else value)
    except (
        BaseException
    ) as error:  # every end is a value until the edge, cancellation too: unwrap raises it again
        return Failure(error)


async def _sleep(seconds: float, timers: AsyncTimers) -> BaseException | None:
    if seconds <= 0:
        return None
    try:
        await timers.asleep(seconds)
    except BaseException as error:  # thrown into the flow, so that it lets go of what it holds
        return error
    return None


async def _within(effect: Within, invoke: Callable[[], Any], clock: Clock, timers: AsyncTimers) -> Bounded:
    """The rules of ``asyncio.timeout``: the timer cancels the task, and its own cancellation is taken back.

    Somebody else's cancellation that arrives as well stays in force: ``uncancel`` leaves a count above that of entry.
    """
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("a timeout needs a task: await acall() inside one")
    fired = False

    def interrupt() -> None:
        nonlocal fired
        fired = True
        task.cancel()

    cancelling = task.cancelling()
    token = deadline.tighten(effect.seconds)
    timer = timers.call_later(effect.seconds, interrupt)
    try:
        result = await drive(effect.flow, invoke, clock)
    except asyncio.CancelledError as error:
        # Came through the flow itself, from a wait of a policy's own.
        result = Failure(error)
    finally:
        timer.cancel()
        expired = fired or deadline.remaining() == 0.0
        deadline.restore(token)
    ours = fired and task.uncancel() <= cancelling
    interrupted = ours and isinstance(result, Failure) and isinstance(result.error, asyncio.CancelledError)
    return Bounded(result, expired=expired, interrupted=interrupted)
