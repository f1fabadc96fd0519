"""Which of its ends a call came to: the table of outcomes and verdicts, written once.

Cancellation is neither success nor failure, except where it hides a dependency that hangs: a call that is cancelled
after waiting longer than any healthy call would, or whose deadline has passed, is a timeout and counts as a failure.
Without this rule a dependency that hangs behind somebody's own timeout would never open the breaker.
"""

from __future__ import annotations

from collections.abc import Iterator

from otel_resilience.exceptions import DeadlineExceededError, RejectedError, ServiceTimeoutError
from otel_resilience.outcome import Outcome

_MOST_LOOKED_AT = 1_000
_LEAVING = (KeyboardInterrupt, SystemExit, GeneratorExit)


def is_cancellation(error: BaseException) -> bool:
    """Whether ``error`` ends the caller's wish for a result rather than says anything of the dependency.

    Known by what it is not: asyncio's, trio's and exception groups of them are no ``Exception``.
    """
    return not isinstance(error, Exception)


def is_rejection(error: BaseException) -> bool:
    """Whether a policy refused the call, this one or one inside it."""
    return isinstance(error, RejectedError)


def leaves(error: BaseException) -> Iterator[BaseException]:
    """The exceptions that are in a group, and in groups inside of it (at most 1 000 looked at); of any other, itself."""
    waiting = [error]
    for _ in range(_MOST_LOOKED_AT):
        if not waiting:
            return
        looked_at = waiting.pop()
        if isinstance(looked_at, BaseExceptionGroup):
            waiting.extend(looked_at.exceptions)
        else:
            yield looked_at


def outcome_of_error(
    error: BaseException, *, begun: bool, elapsed: float, patience: float, overdue: bool
) -> Outcome:
    """What the caller got who gets ``error``.

    ``begun``: the guarded function was invoked. ``elapsed`` and ``patience`` in seconds: how long the call ran, and how
    long a cancelled one may have run and still say nothing. ``overdue``: a deadline of this call has passed. A group
    whose members all came to one outcome came to that.
    """
    if isinstance(error, BaseExceptionGroup):
        found = {
            outcome_of_error(each, begun=begun, elapsed=elapsed, patience=patience, overdue=overdue)
            for each in leaves(error)
        }
        if len(found) == 1:
            return found.pop()
    if isinstance(error, _LEAVING):
        return Outcome.CANCELLED
    if isinstance(error, ServiceTimeoutError):
        return Outcome.TIMEOUT
    if isinstance(error, DeadlineExceededError):
        return Outcome.TIMEOUT if begun else Outcome.REJECTED
    if is_rejection(error):
        return Outcome.REJECTED
    if is_cancellation(error):
        return Outcome.TIMEOUT if overdue or elapsed >= patience else Outcome.CANCELLED
    return Outcome.FAILURE


def qualified_name(error: BaseException) -> str:
    """The class as ``module.Class``, or ``Class`` for builtins: the value of ``error.type``."""
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
