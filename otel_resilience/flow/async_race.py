"""Attempts side by side in tasks: the first good one is the answer, the others are cancelled and end behind."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from otel_resilience.clock import AsyncTimers
from otel_resilience.context import guards
from otel_resilience.context.guards import GuardedCall
from otel_resilience.flow.effects import Flow, Race, Raced
from otel_resilience.outcome import Failure, Result

Drive = Callable[[Flow], Awaitable[Result[Any]]]
_Task = asyncio.Future[Result[Any]]

#: Tasks that nobody waits for any more; the event loop itself holds them weakly.
_left_behind: set[_Task] = set()


async def race(effect: Race, drive: Drive, timers: AsyncTimers) -> Raced:
    """Run the race from this task. Whatever ends it, what still runs is cancelled and not waited for."""
    running: dict[_Task, int] = {}
    branches: dict[_Task, GuardedCall] = {}
    tick: asyncio.Future[None] | None = None
    timer = None

    def begin(number: int) -> bool:
        flow = effect.start(number)
        if flow is None:
            return False
        branch, token = guards.enter_branch()
        task = asyncio.ensure_future(drive(flow))
        guards.leave(token)
        running[task], branches[task] = number, branch
        return True

    def arm() -> None:
        nonlocal tick, timer
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        timer = timers.call_later(effect.after, partial(_ring, waiting))
        tick = waiting

    begun, first = 1, None
    begin(1)
    arm()
    try:
        while True:
            waited: set[asyncio.Future[Any]] = {*running}
            if tick is not None:
                waited.add(tick)
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            for task in [task for task in running if task.done()]:
                number, result = running.pop(task), _result(task)
                first = result if number == 1 else first
                if effect.decides(number, result):
                    return Raced(number, result)
            if not running and first is not None:
                return Raced(1, first)
            if tick is not None and tick.done():
                tick = None
                if begin(begun + 1):
                    begun += 1
                    arm()
    finally:
        if timer is not None:
            timer.cancel()
        for task in running:
            branches[task].left_behind = True
            _left_behind.add(task)
            task.add_done_callback(_reap)
            task.cancel()


def _ring(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)


def _result(task: _Task) -> Result[Any]:
    try:
        return task.result()
    except BaseException as error:  # an interrupted wait of a policy's own
        return Failure(error)


def _reap(task: _Task) -> None:
    _left_behind.discard(task)
    if not task.cancelled():
        task.exception()  # looked at, so that nobody is told it was not
