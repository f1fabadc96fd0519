"""A guarded generator: one call from the first item asked for to the end, repeatable until the first has gone out.

It runs in a context of its own, so that what policies set (deadline, attempt, span) is seen inside and never
by the consumer between two items.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextvars import copy_context
from functools import partial
from types import TracebackType
from typing import Any

from otel_resilience.context import deadline
from otel_resilience.flow.effects import Bounded, Effect, Flow, Invoke, Run, Sleep, Wait, Within
from otel_resilience.flow.execution import Execution
from otel_resilience.flow.sync_driver import run, sleep, wait
from otel_resilience.outcome import Failure, Result, Success, unwrap


class GuardedGenerator(Generator[Any, Any, Any]):
    """What ``start`` makes, guarded by what ``begin`` begins. Used like any generator."""

    def __init__(self, begin: Callable[[], Execution], start: Callable[[], Iterable[Any]]) -> None:
        self._context = copy_context()
        self._steps = _steps(begin, start)

    def send(self, value: Any) -> Any:
        return self._context.run(self._steps.send, value)

    def throw(self, kind: Any, error: object = None, at: TracebackType | None = None) -> Any:
        thrown: Any = kind if isinstance(kind, BaseException) else kind() if error is None else error
        try:
            return self._context.run(self._steps.throw, thrown)
        finally:
            del kind, error, thrown  # see ``unwrap``

    def close(self) -> None:
        self._context.run(self._steps.close)


def _steps(begin: Callable[[], Execution], start: Callable[[], Iterable[Any]]) -> Generator[Any, Any, Any]:
    execution = begin()
    stream = _Stream(execution, start)
    try:
        result = yield from stream.drive(execution.flow)
    except BaseException as error:  # an interrupted wait of our own; all flows have let go of what they held
        result = Failure(error)
    replaced = result is not stream.ended
    stream.ended = None
    result = execution.finish(result)
    if replaced and isinstance(result, Success):
        return (yield from result.value)  # what a fallback or a fault puts in its place
    try:
        return unwrap(result)
    finally:
        del result  # see ``unwrap``


class _Stream:
    """Drives one flow. ``ended`` is the result that the stream itself came to."""

    def __init__(self, execution: Execution, start: Callable[[], Iterable[Any]]) -> None:
        self._call = execution.call
        self._start = start
        self.ended: Result[Any] | None = None

    def drive(self, flow: Flow) -> Generator[Any, Any, Result[Any]]:
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
                try:
                    answer = self.ended = yield from self._deliver()
                except BaseException as error:  # the consumer wants no more; the inner one has ended
                    answer = Failure(error)
            elif isinstance(effect, Run):
                answer = run(effect.function)
            elif isinstance(effect, Sleep):
                interruption = sleep(effect.seconds, self._call.clock)
            elif isinstance(effect, Wait):
                interruption = wait(effect, self._call.clock)
                answer = True
            elif isinstance(effect, Within):
                token = deadline.tighten(effect.seconds)
                try:
                    inner = yield from self.drive(effect.flow)
                    answer = Bounded(inner, expired=deadline.remaining() == 0.0)
                    del inner
                except BaseException as error:  # an interrupted wait inside: all around it let go too
                    interruption = error
                finally:
                    deadline.restore(token)
            else:
                interruption = RuntimeError(
                    f"a stream cannot be made twice at once, but its flow asked for {effect!r}"
                )

    def _deliver(self) -> Generator[Any, Any, Result[Any]]:
        try:
            items = iter(self._start())
            item = next(items)
        except StopIteration as stop:
            return Success(stop.value)
        except BaseException as error:  # every end is a value until the edge
            return Failure(error)
        self._call.first_item_delivered()
        while True:
            try:
                sent = yield item
                step = partial(next, items) if sent is None else partial(_generator(items).send, sent)
            except GeneratorExit:
                close = getattr(items, "close", None)
                if close is not None:
                    close()
                raise
            except BaseException as thrown:
                step = partial(_generator(items).throw, thrown)
            try:
                item = step()
            except StopIteration as stop:
                return Success(stop.value)
            except BaseException as error:  # every end is a value until the edge
                return Failure(error)
            finally:
                del step  # it may hold what was thrown: see ``unwrap``


def _generator(items: Iterator[Any]) -> Any:
    return items
