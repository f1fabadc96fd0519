"""What a circuit breaker answers to who asks to pass."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True)
class Permit:
    """Leave to make one call in ``generation``; a probe's lease ends at ``lease_until``."""

    generation: int
    serial: int
    lease_until: float | None = None


#: Leave to make a call that nobody judges: it is of no generation.
UNJUDGED = Permit(-1, 0)


class Refusal(Enum):
    """Why a call may not pass."""

    CIRCUIT_OPEN = "circuit_open"
    HALF_OPEN_LIMIT = "half_open_limit"


@dataclass(frozen=True, slots=True)
class Rejection:
    """A call may not pass; ``retry_after`` in seconds, ``None`` where nobody knows."""

    refusal: Refusal
    retry_after: float | None
