"""What a flow may ask of its driver, and the flow itself.

A flow is a generator over an inner one: it yields effects, is sent their answers and returns a ``Result``. It never
waits, reads no clock but the one it is given, and asks for nothing while it is being closed.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from otel_resilience.flow.wakeup import Wakeup
from otel_resilience.flow.workers import WorkerPool
from otel_resilience.outcome import Result

if TYPE_CHECKING:
    from otel_resilience.flow.call import Call


@dataclass(frozen=True, slots=True)
class Invoke:
    """Call the guarded function once. Answered with its ``Result``."""


@dataclass(frozen=True, slots=True)
class Sleep:
    """Wait ``seconds``. Answered with ``None``; what interrupts the wait is thrown into the flow."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Run:
    """Call a function of the user's that is not the guarded one.

    Answered with its ``Result``; what it returns is awaited in a task.
    """

    function: Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait until ``wakeup`` is given, at most ``seconds``; ``None``: for as long as it takes.

    Answered with whether this call can wait at all: one that ends somewhere else cannot. Who asked looks for
    itself at what it waited for. What interrupts the wait is thrown into the flow.
    """

    seconds: float | None
    wakeup: Wakeup | None = None


@dataclass(frozen=True, slots=True)
class Within:
    """Run ``flow`` under a deadline of ``seconds``. Answered with ``Bounded``.

    ``pool``: where nothing can be cancelled the invocations are made by one of its threads, and left behind
    when the deadline passes.
    """

    seconds: float
    flow: Flow
    pool: WorkerPool | None = None


@dataclass(frozen=True, slots=True)
class Bounded:
    """How a flow under a deadline ended. ``expired``: the deadline had passed by then.

    ``interrupted``: the driver ended it for that reason, so that its result is only the interruption.
    ``saturated``: it did not begin, as no thread was free.
    """

    result: Result[Any]
    expired: bool
    interrupted: bool = False
    saturated: bool = False


@dataclass(frozen=True, slots=True)
class Race:
    """Run ``start(1)``, and one flow more each ``after`` seconds without a decision, until ``start`` gives ``None``.

    Each runs in a context of its own (in a thread of ``pool``, or in a task). Answered with ``Raced`` as soon
    as ``decides`` says so of a result, or when all have ended; what still runs is called off where that is
    possible, and not waited for.
    """

    start: Callable[[int], Flow | None]
    decides: Callable[[int, Result[Any]], bool]
    after: float
    pool: WorkerPool


@dataclass(frozen=True, slots=True)
class Raced:
    """Which flow ended a race, and what it came to: the first one where none was decisive."""

    number: int
    result: Result[Any]


Effect: TypeAlias = Invoke | Sleep | Wait | Run | Within | Race
Flow: TypeAlias = Generator[Effect, Any, Result[Any]]


class Proceed(Protocol):
    """Makes the inner flow, once or as often as it is asked; for ``call`` instead of the call in hand where one is given."""

    def __call__(self, call: Call | None = None, /) -> Flow: ...


INVOKE = Invoke()
