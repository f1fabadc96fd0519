"""A guarded block: ``with policy:`` and ``async with policy:``.

One stack in a context variable finds the block that a shared policy object leaves, however many threads and tasks have
entered it. Blocks of generators that take turns do not nest: what is left is the latest block of that very object.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar, Token
from typing import Any

from otel_resilience.context import deadline, surroundings
from otel_resilience.flow import sync_driver
from otel_resilience.flow.effects import Bounded, Wait
from otel_resilience.flow.execution import Execution
from otel_resilience.flow.stepwise import Bounds, Stepwise
from otel_resilience.outcome import Failure, Result, Success, unwrap

_blocks: ContextVar[tuple[Block, ...]] = ContextVar("otel_resilience.blocks", default=())

_FELL_THROUGH: Success[None] = Success(None)


class Block:
    """One block that is being run. Entered and left in the same context."""

    def __init__(
        self, owner: object, outside: surroundings.Surroundings, execution: Execution, bounds: Bounds
    ) -> None:
        self.owner = owner
        self._outside = outside
        # What a block gave back that was entered before this one, and left before it: not to be set again.
        self._left_before: surroundings.Surroundings | None = None
        self._execution = execution
        self._flow = Stepwise(execution.flow, bounds)

    def enter(self) -> None:
        """Let the policies decide. Raises the rejection if the block may not run."""
        unwrap(self._begin(self._decide()))

    async def enter_async(self, wait: Callable[[Wait], Awaitable[BaseException | None]]) -> None:
        """``enter`` in a task; ``wait`` is how a task waits."""
        unwrap(self._begin(await self._decide_async(wait)))

    def leave(self, error: BaseException | None) -> None:
        """Tell the policies how the block ended. Raises only where a timeout of ours replaces ``error``."""
        unwrap(self._end(error))

    def _decide(self) -> Result[Any] | None:
        step = self._flow.advance(None)
        while isinstance(step, Wait):
            step = self._go_on(sync_driver.wait(step, self._execution.call.clock))
        return step

    async def _decide_async(
        self, wait: Callable[[Wait], Awaitable[BaseException | None]]
    ) -> Result[Any] | None:
        step = self._flow.advance(None)
        while isinstance(step, Wait):
            step = self._go_on(await wait(step))
        return step

    def _go_on(self, interruption: BaseException | None) -> Result[Any] | Wait | None:
        return self._flow.advance(True) if interruption is None else self._flow.interrupt(interruption)

    def _begin(self, refused: Result[Any] | None) -> Result[Any]:
        if refused is not None:
            return self._execution.finish(refused)
        _blocks.set((*_blocks.get(), self))
        return _FELL_THROUGH

    def _end(self, error: BaseException | None) -> Result[Any]:
        """What is to be raised instead of ``error``, if anything is."""
        younger = self._step_out()
        result: Result[Any] = _FELL_THROUGH if error is None else Failure(error)
        final = self._flow.advance(result)
        while isinstance(final, Wait):  # the block has run: there is nothing left to wait for
            final = self._flow.advance(False)
        final = self._execution.finish(result if final is None else final)
        if self._left_before is not None:
            surroundings.restore(self._left_before)
        if younger is not None:
            younger._left_before = self._left_before or self._outside
        return _FELL_THROUGH if isinstance(final, Failure) and final.error is error else final

    def _step_out(self) -> Block | None:
        """Leave the stack; the block that was entered after this one, which is still being run, if there is one."""
        blocks = _blocks.get()
        at = blocks.index(self)
        _blocks.set((*blocks[:at], *blocks[at + 1 :]))
        return blocks[at + 1] if at + 1 < len(blocks) else None


def innermost(owner: object) -> Block:
    """The block that ``owner`` is to leave next."""
    for block in reversed(_blocks.get()):
        if block.owner is owner:
            return block
    raise RuntimeError("a guarded block was left in another context than it was entered in")


class Cooperative:
    """Deadlines for a block in a thread: seen by everything inside, enforced by nobody."""

    def __init__(self) -> None:
        self._tokens: list[Token[float | None]] = []

    def enter(self, seconds: float) -> None:
        self._tokens.append(deadline.tighten(seconds))

    def leave(self, result: Result[Any]) -> Bounded:
        expired = deadline.remaining() == 0.0
        deadline.restore(self._tokens.pop())
        return Bounded(result, expired=expired)
