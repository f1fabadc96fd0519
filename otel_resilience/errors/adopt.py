"""Error chains on the objects that users hold: exceptions, responses, calls.

The chain lies in one private attribute, so the object stays the very object that the library or the user made.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

from otel_resilience.errors.chain import ErrorChain
from otel_resilience.errors.peek import peek

_ATTRIBUTE = "_otel_resilience_notes"
_MOST_VISITED = 64

#: Orders what happens in the process: one object may be raised by many calls, as a mock's ``side_effect`` is.
_moments = itertools.count(1)


@dataclass(frozen=True, slots=True)
class _Notes:
    chain: ErrorChain | None = None
    exhausted: int = 0  # the moment, 0 for never
    timed_out: bool = False
    retryable: bool = False


def _notes(x: object) -> _Notes:
    notes = peek(x, _ATTRIBUTE)
    return notes if isinstance(notes, _Notes) else _Notes()


def _note(x: object, notes: _Notes) -> None:
    try:
        object.__setattr__(x, _ATTRIBUTE, notes)
    except (AttributeError, TypeError):
        # An object without a place for it (slots, a C type): its chain is known from the request alone.
        return


def attach(x: object, chain: ErrorChain) -> None:
    """Let ``error_chain(x)`` find ``chain``; the latest one counts."""
    _note(x, replace(_notes(x), chain=chain))


def copy_notes(one: object, other: object) -> None:
    """Let everything be known of ``other`` that is known of ``one``: both stand for the same failure."""
    _note(other, _notes(one))


def mark_exhausted(x: object) -> None:
    """Say that a retry has given up on this very failure, so that no retry around it begins again."""
    _note(x, replace(_notes(x), exhausted=next(_moments)))


def moment() -> int:
    """Now, in the order of this process."""
    return next(_moments)


def is_exhausted(x: object, since: int = 0) -> bool:
    """Whether a retry of this process has given up on ``x`` after the moment ``since``, or on what it was raised from."""
    seen = 0
    while x is not None and seen < _MOST_VISITED:
        if _notes(x).exhausted > since:
            return True
        # Only what was said to be the cause: an unrelated failure merely has the earlier one as its context.
        x = peek(x, "__cause__")
        seen += 1
    return False


def mark_timed_out(x: object, *, retryable: bool) -> None:
    """Say that our own timeout ended this failure, whatever the library calls it.

    ``retryable``: it was the timeout of an attempt, and time is left for another one.
    """
    _note(x, replace(_notes(x), timed_out=True, retryable=retryable))


def is_timed_out(x: object) -> bool:
    """Whether our own timeout ended the call that ``x`` came from."""
    return _notes(x).timed_out


def is_retryable_timeout(x: object) -> bool:
    """Whether ``x`` is the end of an attempt by our own timeout, with time left for another attempt."""
    return _notes(x).timed_out and _notes(x).retryable


def error_chain(x: object) -> ErrorChain | None:
    """The chain of an error, or of a response or call of a supported client; ``None`` where there is none.

    Looks at ``x`` itself, then at the response on it, its ``__cause__``, the members of an exception group and its
    ``__context__``, breadth first, at most 64 objects; cycles end. Of a group, whose members failed side by side,
    it is the chain of the causal one (``ErrorChain.of_many``). Never raises.
    """
    return _found(x, set())


def _found(x: object, seen: set[int]) -> ErrorChain | None:
    waiting: list[object] = [x]
    while waiting and len(seen) < _MOST_VISITED:
        candidate = waiting.pop(0)
        if candidate is None or id(candidate) in seen:
            continue
        seen.add(id(candidate))
        chain = _notes(candidate).chain
        if chain is None and isinstance(candidate, BaseExceptionGroup):
            chain = _of_members(candidate, seen)
        if chain is not None:
            return chain
        waiting += _nearby(candidate)
    return None


def _of_members(group: BaseExceptionGroup[BaseException], seen: set[int]) -> ErrorChain | None:
    found = [_found(member, seen) for member in group.exceptions[:_MOST_VISITED]]
    return ErrorChain.of_many(chain for chain in found if chain is not None)


def _nearby(x: object) -> list[object]:
    if not isinstance(x, BaseException):
        return []
    context = None if x.__suppress_context__ else x.__context__
    return [peek(x, "response"), x.__cause__, context]
