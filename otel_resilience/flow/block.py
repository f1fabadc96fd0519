"""A guarded block: ``with policy:`` and ``async with policy:``.

One stack in a context variable finds the block that a shared policy object leaves, however many threads and tasks have
entered it. Blocks of generators that take turns do not nest: what is left is the latest block of that very object. One
that is left in another context than it was entered in (a generator that is resumed by another thread, a dependency of a
web framework, a fixture) is found among all that are being run: the longest entered one of that object.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar, Token
from typing import Any, Protocol

from otel_resilience.context import deadline, surroundings
from otel_resilience.flow import sync_driver
from otel_resilience.flow.effects import Bounded, Wait
from otel_resilience.flow.execution import Execution
from otel_resilience.flow.stepwise import Bounds, Stepwise
from otel_resilience.forking import forget_after_fork
from otel_resilience.outcome import Failure, Result, Success, unwrap

_FELL_THROUGH: Success[None] = Success(None)


class Entered(Protocol):
    """Something of ``owner`` that was entered and is to be left."""

    owner: object

    def leave(self, error: BaseException | None) -> None: ...


class _Entered:
    """What was entered in this process and not left so far: in this context, and in all of them."""

    def __init__(self) -> None:
        self._here: ContextVar[tuple[Entered, ...]] = ContextVar("otel_resilience.blocks", default=())
        self._everywhere: dict[Entered, None] = {}  # the longest entered first
        forget_after_fork(self)

    def forget(self) -> None:
        """In a forked child there is one thread."""
        self._everywhere = dict.fromkeys(self._here.get())

    def add(self, block: Entered) -> None:
        self._everywhere[block] = None
        self._here.set((*self._here.get(), block))

    def remove(self, block: Entered) -> Entered | None:
        """Answers with the one that was entered here after it and is still being run, if there is one."""
        self._everywhere.pop(block, None)
        here = self._here.get()
        if block not in here:
            return None
        at = here.index(block)
        self._here.set((*here[:at], *here[at + 1 :]))
        return here[at + 1] if at + 1 < len(here) else None

    def innermost(self, owner: object) -> Entered:
        for candidates in (reversed(self._here.get()), list(self._everywhere)):
            for block in candidates:
                if block.owner is owner and block in self._everywhere:
                    return block
        raise RuntimeError("a guarded block was left that was not entered")


_entered = _Entered()


def innermost(owner: object) -> Entered:
    """What ``owner`` is to leave next."""
    return _entered.innermost(owner)


class UnguardedBlock:
    """A block that was entered while its guard did nothing, and is left as such, whatever the guard does by then."""

    def __init__(self, owner: object) -> None:
        self.owner = owner
        _entered.add(self)

    def leave(self, error: BaseException | None) -> None:
        _entered.remove(self)


class Block:
    """One block that is being run."""

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
        try:
            unwrap(self._begin(self._decide()))
        except KeyboardInterrupt:
            self.abandon()
            raise

    async def enter_async(self, wait: Callable[[Wait], Awaitable[BaseException | None]]) -> None:
        """``enter`` in a task; ``wait`` is how a task waits."""
        unwrap(self._begin(await self._decide_async(wait)))

    def leave(self, error: BaseException | None) -> None:
        """Tell the policies how the block ended. Raises only where a timeout of ours replaces ``error``."""
        try:
            unwrap(self._end(error))
        except KeyboardInterrupt:
            self.abandon()
            raise

    def abandon(self) -> None:
        """Ctrl-C came while it was entered or left: it holds nothing, and nothing of it stays set."""
        _entered.remove(self)
        self._flow.close()
        surroundings.restore(self._outside)

    def _decide(self) -> Result[Any] | None:
        step = self._flow.advance(None)
        while isinstance(step, Wait):
            step = self._go_on(sync_driver.wait(step, self._execution.call.clock))
        try:
            return step
        finally:
            del step  # see ``unwrap``

    async def _decide_async(
        self, wait: Callable[[Wait], Awaitable[BaseException | None]]
    ) -> Result[Any] | None:
        step = self._flow.advance(None)
        while isinstance(step, Wait):
            step = self._go_on(await wait(step))
        try:
            return step
        finally:
            del step  # see ``unwrap``

    def _go_on(self, interruption: BaseException | None) -> Result[Any] | Wait | None:
        return self._flow.advance(True) if interruption is None else self._flow.interrupt(interruption)

    def _begin(self, refused: Result[Any] | None) -> Result[Any]:
        if refused is not None:
            return self._execution.finish(refused)
        _entered.add(self)
        return _FELL_THROUGH

    def _end(self, error: BaseException | None) -> Result[Any]:
        """What is to be raised instead of ``error``, if anything is."""
        younger = _entered.remove(self)
        result: Result[Any] = _FELL_THROUGH if error is None else Failure(error)
        final = self._flow.advance(result)
        while isinstance(final, Wait):  # the block has run: there is nothing left to wait for
            final = self._flow.advance(False)
        final = self._execution.finish(result if final is None else final)
        if self._left_before is not None:
            surroundings.restore(self._left_before)
        if isinstance(younger, Block):
            younger._left_before = self._left_before or self._outside
        return _FELL_THROUGH if isinstance(final, Failure) and final.error is error else final


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
