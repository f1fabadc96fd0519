"""Chance as something that is handed in: jitter asks here, and tests hand in a seeded or fixed draw."""

from __future__ import annotations

import random
from collections.abc import Callable

_draw: Callable[[], float] = random.random


def draw() -> float:
    """A number in ``[0, 1)``."""
    return _draw()


def use(source: Callable[[], float]) -> Callable[[], float]:
    """Make ``source`` the process's source of chance and return the one that it replaces (to be put back)."""
    global _draw
    previous, _draw = _draw, source
    return previous
