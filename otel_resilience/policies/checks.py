"""The rules that options are checked by at birth: one clear error that names field, value and rule."""

from __future__ import annotations

import math
from typing import Any

from otel_resilience.exceptions import ConfigurationError


def positive_seconds(policy: str, field: str, value: Any) -> float:
    """A finite number of seconds above 0."""
    seconds = _number(policy, field, value, "seconds > 0")
    if not 0 < seconds < math.inf:
        raise _fault(policy, field, value, "seconds > 0")
    return seconds


def seconds_or_zero(policy: str, field: str, value: Any) -> float:
    """A finite number of seconds, 0 allowed."""
    seconds = _number(policy, field, value, "seconds >= 0")
    if not 0 <= seconds < math.inf:
        raise _fault(policy, field, value, "seconds >= 0")
    return seconds


def at_least(policy: str, field: str, value: Any, least: int) -> int:
    """A whole number of at least ``least``."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise _fault(policy, field, value, f"a whole number >= {least}")
    return value


def number_at_least(policy: str, field: str, value: Any, least: float) -> float:
    """A finite number of at least ``least``."""
    number = _number(policy, field, value, f"a number >= {least:g}")
    if not least <= number < math.inf:
        raise _fault(policy, field, value, f"a number >= {least:g}")
    return number


def share(policy: str, field: str, value: Any) -> float:
    """A number above 0 and at most 1."""
    rule = "a number > 0 and <= 1"
    number = _number(policy, field, value, rule)
    if not 0 < number <= 1:
        raise _fault(policy, field, value, rule)
    return number


def name_or_none(policy: str, value: Any) -> str | None:
    """A text that is not empty, or nothing."""
    if value is None or (isinstance(value, str) and value):
        return value
    raise _fault(policy, "name", value, "a text that is not empty")


def _number(policy: str, field: str, value: Any, rule: str) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise _fault(policy, field, value, rule)
    try:
        return float(value)
    except OverflowError:
        raise _fault(policy, field, value, rule) from None


def _fault(policy: str, field: str, value: Any, rule: str) -> ConfigurationError:
    return ConfigurationError(f"{policy} {field} must be {rule}, got {value!r}")
