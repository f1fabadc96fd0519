"""What a flow may ask of its driver, and the flow itself.

A flow is a generator over an inner one: it yields effects, is sent their answers and returns a ``Result``. It never
waits, reads no clock but the one it is given, and asks for nothing while it is being closed.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, TypeAlias

from otel_resilience.outcome import Result


@dataclass(frozen=True, slots=True)
class Invoke:
    """Call the guarded function once. Answered with its ``Result``."""


@dataclass(frozen=True, slots=True)
class Sleep:
    """Wait ``seconds``. Answered with ``None``; what interrupts the wait is thrown into the flow."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Within:
    """Run ``flow`` under a deadline of ``seconds``. Answered with ``Bounded``."""

    seconds: float
    flow: Flow


@dataclass(frozen=True, slots=True)
class Bounded:
    """How a flow under a deadline ended. ``expired``: the deadline had passed by then.

    ``interrupted``: the driver ended it for that reason, so that its result is only the interruption.
    """

    result: Result[Any]
    expired: bool
    interrupted: bool = False


Effect: TypeAlias = Invoke | Sleep | Within
Flow: TypeAlias = Generator[Effect, Any, Result[Any]]
Proceed: TypeAlias = Callable[[], Flow]

INVOKE = Invoke()
