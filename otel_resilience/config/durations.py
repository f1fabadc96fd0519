"""Durations as a policy file says them."""

from __future__ import annotations

import re
from typing import Any

RULE = "a duration such as 250ms, 2s or 1m, or a number of seconds"

_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?|\.[0-9]+)(ms|s|m)", re.ASCII)
_SECONDS = {"s": 1.0, "m": 60.0}


def seconds_of(value: Any) -> float:
    """``250ms``, ``2s``, ``1m`` or a number, in seconds; sign and size are for others to judge.

    Raises ``ValueError`` for anything else.
    """
    if isinstance(value, str):
        parts = _DURATION.fullmatch(value)
        if parts is None:
            raise ValueError(RULE)
        # Divided, not multiplied by 0.001: 250ms is to be 0.25, and 1.1 × 0.001 is not 0.0011.
        number = float(parts[1])
        return number / 1000.0 if parts[2] == "ms" else number * _SECONDS[parts[2]]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(RULE)
    try:
        return float(value)
    except OverflowError:
        raise ValueError(RULE) from None
