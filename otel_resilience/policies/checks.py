"""The rules that options are checked by at birth: one clear error that names field, value and rule."""

from __future__ import annotations

import math
from typing import Any

from otel_resilience.exceptions import ConfigurationError
from otel_resilience.policies.shown import told

_MOST = 2**63 - 1


def positive_seconds(policy: str, field: str, value: Any) -> float:
    """A finite number of seconds above 0."""
    seconds = _number(policy, field, value, "seconds > 0")
    if not 0 < seconds < math.inf:
        raise fault(policy, field, value, "seconds > 0")
    return seconds


def seconds_or_zero(policy: str, field: str, value: Any) -> float:
    """A finite number of seconds, 0 allowed."""
    seconds = _number(policy, field, value, "seconds >= 0")
    if not 0 <= seconds < math.inf:
        raise fault(policy, field, value, "seconds >= 0")
    return seconds


def at_least(policy: str, field: str, value: Any, least: int) -> int:
    """A whole number of at least ``least``, and of 63 bits at most, which is what telemetry can carry."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise fault(policy, field, value, f"a whole number >= {least}")
    if value > _MOST:
        raise fault(policy, field, value, f"a whole number <= {_MOST}")
    return value


def number_at_least(policy: str, field: str, value: Any, least: float) -> float:
    """A finite number of at least ``least``."""
    number = _number(policy, field, value, f"a number >= {least:g}")
    if not least <= number < math.inf:
        raise fault(policy, field, value, f"a number >= {least:g}")
    return number


def share(policy: str, field: str, value: Any) -> float:
    """A number above 0 and at most 1."""
    rule = "a number > 0 and <= 1"
    number = _number(policy, field, value, rule)
    if not 0 < number <= 1:
        raise fault(policy, field, value, rule)
    return number


def name_or_none(policy: str, value: Any) -> str | None:
    """A text that is not empty, or nothing."""
    if value is None or (isinstance(value, str) and value):
        return value
    raise fault(policy, "name", value, "a text that is not empty")


def _number(policy: str, field: str, value: Any, rule: str) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise fault(policy, field, value, rule)
    try:
        return float(value)
    except OverflowError:
        raise fault(policy, field, value, rule) from None


def fault(policy: str, field: str, value: object, rule: str) -> ConfigurationError:
    """The one clear error."""
    return ConfigurationError(f"{policy} {field} must be {rule}, got {told(value)}")
