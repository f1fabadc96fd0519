"""Flows played by hand: what a policy asks for, answer by answer, with no driver and no time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from otel_resilience.flow.call import Call, attempt
from otel_resilience.flow.effects import Effect, Flow
from otel_resilience.flow.guard import Guard
from otel_resilience.outcome import Failure, Result, Success


@dataclass(slots=True)
class Played:
    """What a flow asked for, in order, and what it came to; ``None`` where the answers ended first."""

    asked: list[Effect] = field(default_factory=list)
    result: Result[Any] | None = None


def play(flow: Flow | Guard, answers: Iterable[Any], *, name: str = "played") -> Played:
    """Run ``flow``, or the flow of a policy or pipeline, giving each effect the next of ``answers``.

    To an ``Invoke`` an exception stands for a failure, an effect's own answer or a ``Success`` for itself,
    anything else for what the function returned. A flow that asks for more than there is is closed, as a
    cancelled call would be, and has no result.
    """
    if isinstance(flow, Guard):
        call = Call(name)
        flow = flow.flow(call, partial(_attempt, call))
    played = Played()
    waiting = iter(answers)
    answer: Any = None
    try:
        while True:
            effect = flow.send(answer)
            played.asked.append(effect)
            try:
                answer = _answer(effect, next(waiting))
            except StopIteration:
                flow.close()
                return played
    except StopIteration as stop:
        played.result = stop.value
        return played


def _attempt(call: Call, other: Call | None = None) -> Flow:
    return attempt(other or call)


def _answer(effect: Effect, given: Any) -> Any:
    if type(effect).__name__ != "Invoke" or isinstance(given, Success | Failure):
        return given
    return Failure(given) if isinstance(given, BaseException) else Success(given)
