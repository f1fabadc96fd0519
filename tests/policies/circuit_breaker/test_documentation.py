"""The page on the breaker against the code that it speaks of."""

from __future__ import annotations

import dataclasses
import re

from otel_resilience.policies.circuit_breaker.options import CircuitBreakerOptions
from otel_resilience.policies.circuit_breaker.transitions import TRANSITIONS, Signal
from tests.architecture.sources import PROJECT

PAGE = (PROJECT / "docs" / "circuit_breaker.md").read_text(encoding="utf-8")
_HUMAN = (Signal.FORCE_OPEN, Signal.FORCE_CLOSED, Signal.RESET)


def test_the_diagram_is_drawn_from_the_table() -> None:
    drawn = re.findall(r"^    (\w+) --> (\w+): (\w+)$", PAGE, re.MULTILINE)
    table = [
        (str(before), str(after), str(signal))
        for (before, signal), after in TRANSITIONS.items()
        if signal not in _HUMAN
    ]
    assert drawn == table


def test_every_option_has_its_row() -> None:
    told = re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)
    assert sorted(told) == sorted(field.name for field in dataclasses.fields(CircuitBreakerOptions))
