"""Which exceptions a policy answers to: types, or a predicate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from otel_resilience.policies import checks

Errors = type[BaseException] | tuple[type[BaseException], ...] | Callable[[BaseException], bool]


def checked_errors(policy: str, field: str, value: Any) -> Errors:
    """``value`` if it is exception types or a predicate. Raises ``ConfigurationError``."""
    # A class is callable too: asked for first, so that an exception type is never taken for a predicate.
    if isinstance(value, type):
        right = issubclass(value, BaseException)
    elif isinstance(value, tuple):
        right = bool(value) and all(
            isinstance(each, type) and issubclass(each, BaseException) for each in value
        )
    else:
        right = callable(value)
    if not right:
        raise checks.fault(policy, field, value, "exception types or a predicate")
    answer: Errors = value
    return answer


def answers(errors: Errors, error: BaseException) -> bool:
    """Whether ``error`` is one of ``errors``."""
    return isinstance(error, errors) if isinstance(errors, tuple | type) else bool(errors(error))
