"""The errors that resilience itself raises, and the coded error for applications.

Every instance is fresh: a shared one would collect the tracebacks of all its callers. Instances know the span that was
current when they were made; who knows spans is told by ``use_identity``, so that this module knows no OpenTelemetry.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from otel_resilience.events import Cause

E = TypeVar("E", bound=BaseException)


class Identity(NamedTuple):
    """The current span: ids in lower-case hex; ``parent_spans`` outermost first, without the span itself."""

    trace_id: str | None = None
    span_id: str | None = None
    parent_spans: tuple[str, ...] = ()


_NOWHERE = Identity()
_identify: Callable[[], Identity] = lambda: _NOWHERE  # noqa: E731 — a variable that is replaced, not a function


def use_identity(identify: Callable[[], Identity]) -> None:
    """Say how the current span is found (the composition root does)."""
    global _identify
    _identify = identify


def current_identity() -> Identity:
    """The span that is current here."""
    return _identify()


class ResilienceError(Exception):
    """Base of everything that this library raises on its own account.

    ``error_code`` is stable and ``UPPER_SNAKE``; ``retry_after`` is in seconds, ``None`` where nothing is known.
    """

    error_code: str = "INTERNAL"
    retryable: bool = False
    retry_after: float | None = None

    def __init__(
        self, message: str = "", *, retryable: bool | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        if retryable is not None:
            self.retryable = retryable
        if retry_after is not None:
            self.retry_after = retry_after
        self.trace_id, self.span_id, self.parent_spans = _identify()

    def __reduce__(self) -> tuple[Any, ...]:
        return restored, (type(self), self.args, vars(self))


class RejectedError(ResilienceError):
    """A call that a policy refused: it never left the process."""


class CircuitOpenError(RejectedError):
    """Refused by an open circuit, or by a half-open one at its probe limit. ``cause`` is what opened it."""

    error_code = "CIRCUIT_OPEN"
    cause: Cause | None = None


class BulkheadFullError(RejectedError):
    """Refused because the pool, its queue or its worker threads are all in use."""

    error_code = "BULKHEAD_FULL"


class RateLimitedError(RejectedError):
    """Refused because the rate would be exceeded; ``retry_after`` says when it would not."""

    error_code = "RATE_LIMITED"


class DeadlineExceededError(RejectedError):
    """The deadline had passed: before the call began (a refusal), or when somebody inside it looked."""

    error_code = "DEADLINE_EXCEEDED"


class NoHealthyEndpointError(RejectedError):
    """A known service has no endpoint that may be called."""

    error_code = "NO_HEALTHY_ENDPOINT"


class ServiceNotFoundError(ResilienceError):
    """A service of that name was never registered."""

    error_code = "SERVICE_NOT_FOUND"


class ServiceTimeoutError(ResilienceError):
    """A timeout of ours ended the call; ``__cause__`` is what it interrupted."""

    error_code = "SERVICE_TIMEOUT"


class RetriesExhaustedError(ResilienceError):
    """``Retry(results=)`` made its last attempt and the result still asks for another."""

    error_code = "MAX_RETRIES_EXCEEDED"

    def __init__(self, message: str = "", *, last_result: Any = None) -> None:
        super().__init__(message)
        self.last_result = last_result


class FaultInjectedError(ResilienceError):
    """A fault that was asked for, by a test or a game day."""

    error_code = "FAULT_INJECTED"


class ConfigurationError(ResilienceError, ValueError):
    """An option or a policy file is wrong: names the field, the value and the rule."""

    error_code = "CONFIGURATION_INVALID"


class DomainError(Exception):
    """A coded error of the application's own.

    ``error_code`` is ``UPPER_SNAKE``, at most 63 characters, stable: other services see it as the root of a chain.
    Raises ``ConfigurationError`` for a code of another form.
    """

    def __init__(
        self, code: str, message: str = "", *, retryable: bool = False, retry_after: float | None = None
    ) -> None:
        if not is_code(code):
            raise ConfigurationError(
                f"DomainError code must be UPPER_SNAKE, at most 63 characters, got {code!r}"
            )
        super().__init__(message)
        self.error_code = code
        self.retryable = retryable
        self.retry_after = retry_after

    def __reduce__(self) -> tuple[Any, ...]:
        return restored, (type(self), self.args, vars(self))


def restored(kind: type[E], args: tuple[Any, ...], state: dict[str, Any]) -> E:
    """An error that was copied, or came from another process: as it was made, whatever its constructor asks for."""
    error = kind.__new__(kind)
    error.args = args
    vars(error).update(state)
    return error


def is_code(text: object) -> bool:
    """Whether ``text`` has the form of an error code: ``UPPER_SNAKE``, ASCII, 1 to 63 characters."""
    return as_code(text) is not None


def as_code(value: object) -> str | None:
    """``value`` as a plain string where it has the form of an error code, else ``None``.

    A member of an enumeration of strings is its value, whatever ``str()`` says of it.
    """
    if not isinstance(value, str):
        return None
    text = value if type(value) is str else str.__str__(value)
    fits = (
        0 < len(text) <= 63
        and text.isascii()
        and text[0].isalpha()
        and text.replace("_", "").isalnum()
        and text == text.upper()
    )
    return text if fits else None
