"""Answers a flow's effects for asyncio: one of the two places that wait, and the only one that awaits."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from otel_resilience.clock import AsyncTimers, Clock, Timer
from otel_resilience.context import deadline
from otel_resilience.flow.async_race import race
from otel_resilience.flow.effects import Bounded, Effect, Flow, Invoke, Race, Run, Sleep, Wait, Within
from otel_resilience.outcome import Failure, Result, Success


class LoopTimers:
    """The running event loop's own timers."""

    def asleep(self, seconds: float) -> Awaitable[None]:
        return asyncio.sleep(seconds)

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        return asyncio.get_running_loop().call_later(seconds, callback)


_LOOP_TIMERS = LoopTimers()


def timers_of(clock: Clock) -> AsyncTimers:
    """The timers of ``clock``, if it has any, else the event loop's."""
    return clock if isinstance(clock, AsyncTimers) else _LOOP_TIMERS


async def drive(flow: Flow, invoke: Callable[[], Any], clock: Clock) -> Result[Any]:
    """Run ``flow`` to its result in this task. ``invoke`` may return an awaitable or a plain value."""
    try:
        return await _drive(flow, invoke, clock)
    finally:
        flow.close()  # only Ctrl-C between two effects has left it open: it lets go of what it holds


async def _drive(flow: Flow, invoke: Callable[[], Any], clock: Clock) -> Result[Any]:
    timers = timers_of(clock)
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
            answer = await _invoke(invoke)
        elif isinstance(effect, Run):
            answer = await _invoke(effect.function)
        elif isinstance(effect, Sleep):
            interruption = await _sleep(effect.seconds, timers)
        elif isinstance(effect, Wait):
            interruption = await wait(effect, timers)
            answer = True
        elif isinstance(effect, Race):
            try:
                answer = await race(effect, lambda branch: drive(branch, invoke, clock), timers)
            except BaseException as error:  # cancelled while waiting for tasks
                interruption = error
        else:
            try:
                answer = await _within(effect, invoke, clock, timers)
            except BaseException as error:  # an interrupted wait inside: the flows around it let go as well
                interruption = error


async def _invoke(invoke: Callable[[], Any]) -> Result[Any]:
    try:
        value = invoke()
        return Success(await value if inspect.isawaitable(value) else value)
    except BaseException as error:  # every end is a value until the edge, cancellation too
        return Failure(error)


async def _sleep(seconds: float, timers: AsyncTimers) -> BaseException | None:
    if seconds <= 0:
        return None
    try:
        await timers.asleep(seconds)
    except BaseException as error:  # thrown into the flow, so that it lets go of what it holds
        return error
    return None


async def wait(effect: Wait, timers: AsyncTimers) -> BaseException | None:
    """Wait in this task; what interrupted it, if anything did."""
    if effect.wakeup is None:
        return await _sleep(effect.seconds or 0.0, timers)
    loop = asyncio.get_running_loop()
    woken: asyncio.Future[None] = loop.create_future()

    def resolve() -> None:
        if not woken.done():
            woken.set_result(None)

    sleeping = (
        None if effect.seconds is None else asyncio.ensure_future(_sleep(effect.seconds, timers), loop=loop)
    )
    try:
        effect.wakeup.subscribe(functools.partial(loop.call_soon_threadsafe, resolve))
        if sleeping is None:
            await woken
        else:
            await asyncio.wait((woken, sleeping), return_when=asyncio.FIRST_COMPLETED)
    except BaseException as error:  # thrown into the flow, so that it lets go of what it holds
        return error
    finally:
        if sleeping is not None and not loop.is_closed():
            sleeping.cancel()
    return None


async def _within(effect: Within, invoke: Callable[[], Any], clock: Clock, timers: AsyncTimers) -> Bounded:
    bound = _CancellingBound(effect.seconds, timers)
    try:
        result: Result[Any] = await drive(effect.flow, invoke, clock)
    except asyncio.CancelledError as error:  # came through the flow itself, from a wait of a policy's own
        return bound.close(Failure(error))
    except BaseException:
        bound.lift()
        raise
    try:
        return bound.close(result)
    finally:
        del result  # see ``unwrap``


class _CancellingBound:
    """A deadline that cancels the task, by the rules of ``asyncio.timeout``: its own cancellation is taken back.

    Somebody else's cancellation that arrives as well stays in force: ``uncancel`` leaves a count above that of entry.
    """

    def __init__(self, seconds: float, timers: AsyncTimers) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a timeout needs a task: await it inside one")
        self._task: asyncio.Task[Any] | None = task
        self._fired = False
        self._cancelling = task.cancelling()
        self._token = deadline.tighten(seconds)
        self._timer = timers.call_later(seconds, self._interrupt)

    def _interrupt(self) -> None:
        self._fired = True
        if self._task is not None:
            self._task.cancel()

    def lift(self) -> bool:
        """End the deadline; whether its cancellation was the only one."""
        self._timer.cancel()
        deadline.restore(self._token)
        task, self._task = self._task, None  # it holds what ended it: see ``unwrap``
        return self._fired and task is not None and task.uncancel() <= self._cancelling

    def close(self, result: Result[Any]) -> Bounded:
        expired = self._fired or deadline.remaining() == 0.0
        ours = self.lift()
        interrupted = (
            ours and isinstance(result, Failure) and isinstance(result.error, asyncio.CancelledError)
        )
        return Bounded(result, expired=expired, interrupted=interrupted)


class Cancelling:
    """Deadlines for an ``async with`` block: the task that runs it is cancelled."""

    def __init__(self, clock: Clock) -> None:
        self._timers = timers_of(clock)
        self._bounds: list[_CancellingBound] = []

    def enter(self, seconds: float) -> None:
        self._bounds.append(_CancellingBound(seconds, self._timers))

    def leave(self, result: Result[Any]) -> Bounded:
        return self._bounds.pop().close(result)
