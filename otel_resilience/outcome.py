"""Outcomes are values until the edge.

Policies see ``Success | Failure`` and never a raised exception; ``unwrap`` is the one place that raises the
guarded function's error again, and it raises that very object.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeAlias, TypeVar

T_co = TypeVar("T_co", covariant=True)


class Outcome(StrEnum):
    """What the caller of a guarded call got; the values of the attribute ``resilience.outcome``."""

    SUCCESS = "success"
    FAILURE = "failure"
    REJECTED = "rejected"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"
    FALLBACK = "fallback"


class Verdict(StrEnum):
    """What a circuit breaker learns from the end of a call."""

    SUCCESS = "success"
    FAILURE = "failure"
    IGNORED = "ignored"


class Mode(StrEnum):
    """How far a pipeline goes: decide and act, decide and only announce, or nothing at all."""

    ENFORCE = "enforce"
    SHADOW = "shadow"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Success(Generic[T_co]):
    """The guarded function returned ``value``."""

    value: T_co


@dataclass(frozen=True, slots=True)
class Failure:
    """The guarded function, or a policy around it, raised ``error``."""

    error: BaseException


Result: TypeAlias = Success[T_co] | Failure


def unwrap(result: Result[T_co]) -> T_co:
    """Return the value, or raise the very object that was raised.

    Must be called outside of any ``except`` block, else Python would chain that block's exception to the user's.
    """
    if isinstance(result, Success):
        return result.value
    try:
        raise result.error
    finally:
        # The traceback holds this frame; a frame that holds the exception would close a cycle that only the
        # garbage collector could free, with everything the user's frames hold. So it is in all of ``flow/``.
        del result
