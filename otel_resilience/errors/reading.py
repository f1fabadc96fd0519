"""What the result of a call means: read once, by the rules of the client that made the call.

A client's answer may be a failure although it is returned (an HTTP 503), or a success of the dependency although it is
raised (gRPC ``NOT_FOUND``). Policies ask a ``Dialect`` and stay the same for all clients.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from otel_resilience import classify
from otel_resilience.errors import codes
from otel_resilience.errors.adopt import error_chain, is_retryable_timeout, is_timed_out
from otel_resilience.errors.chain import ErrorChain
from otel_resilience.errors.hop import HopKind
from otel_resilience.errors.peek import peek
from otel_resilience.exceptions import DeadlineExceededError, ResilienceError, ServiceTimeoutError
from otel_resilience.outcome import Failure, Result, Success, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One result, read.

    ``failed``: the caller got a failure. ``verdict``: what the dependency's health is to be judged by,
    ``None`` where the breaker's own ``failures`` and ``failure_results`` decide. ``chain``: what the peer
    sent, or what the error carries. ``retry_after`` in seconds. ``error_type`` may be set on a success (an
    HTTP 404).
    """

    failed: bool
    verdict: Verdict | None = None
    code: str | None = None
    error_type: str | None = None
    kind: HopKind = HopKind.LOCAL
    retryable: bool = False
    retry_after: float | None = None
    chain: ErrorChain | None = None


SUCCEEDED = Reading(failed=False)


class Dialect(Protocol):
    """How the results of one client library are read."""

    def read(self, result: Result[Any]) -> Reading:
        """What ``result`` means. Must not raise."""
        ...

    def is_timeout(self, error: BaseException) -> bool:
        """Whether the library raised ``error`` because time ran out."""
        ...

    def own(self, error: ResilienceError) -> BaseException:
        """``error`` as one that the library's users expect: also an instance of the library's class for it."""
        ...


class PlainDialect:
    """How the results of an ordinary function are read: what is returned is well, what is raised is not."""

    def read(self, result: Result[Any]) -> Reading:
        return SUCCEEDED if isinstance(result, Success) else read_error(result)

    def is_timeout(self, error: BaseException) -> bool:
        return isinstance(error, DeadlineExceededError)

    def own(self, error: ResilienceError) -> BaseException:
        return error


PLAIN = PlainDialect()


def read_error(
    failure: Failure, *, verdict: Verdict | None = None, error_type: str | None = None, remote: bool = False
) -> Reading:
    """Read a raised error by the code table; ``remote`` where it came from a peer."""
    error = failure.error
    if is_timed_out(error) and not isinstance(error, ResilienceError):
        code, retryable = ServiceTimeoutError.error_code, is_retryable_timeout(error)
    else:
        code = codes.code_of(error)
        retryable = codes.is_retryable(error, code)
    error_type = error_type or _error_type(error, code)
    return Reading(
        failed=True,
        verdict=verdict,
        code=code,
        error_type=error_type,
        kind=_kind(error, {code, error_type}, remote),
        retryable=retryable,
        retry_after=_hint(error),
        chain=error_chain(error),
    )


def _hint(error: BaseException) -> float | None:
    """Seconds that the error itself asks to wait; what is no number, or less than 0, asks for nothing."""
    hint = peek(error, "retry_after")
    if not isinstance(hint, int | float) or isinstance(hint, bool):
        return None
    return float(min(hint, _NEVER)) if hint >= 0.0 else None


def _error_type(error: BaseException, code: str) -> str:
    return code if isinstance(error, ResilienceError) else classify.qualified_name(error)


def _kind(error: BaseException, words: set[str], remote: bool) -> HopKind:
    """``words``: the code, and the error type, which is the status of a gRPC answer that gives a reason of its own."""
    if classify.is_rejection(error):
        return HopKind.REJECTED
    if isinstance(error, ServiceTimeoutError) or is_timed_out(error) or words & _TIMEOUT_CODES:
        return HopKind.TIMEOUT
    return HopKind.REMOTE if remote and not words & _LOCAL_CODES else HopKind.LOCAL


#: Seconds, 30 000 years: a whole number may exceed the range of a float.
_NEVER = 1e12

_TIMEOUT_CODES = frozenset(
    {"SERVICE_TIMEOUT", "DEADLINE_EXCEEDED", "CONNECT_TIMEOUT", "READ_TIMEOUT", "DB_TIMEOUT"}
)
#: What never left this process, though a client of the peer's raised it.
_LOCAL_CODES = frozenset({"POOL_EXHAUSTED"})
