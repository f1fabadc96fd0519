"""``resilience``: what goes out with a request, as a structured Dictionary.

    resilience: deadline=1250, attempt=2, chain

Remaining milliseconds, number of the attempt (1 is the first), "I read error chains". Never an instant:
clocks of two hosts are not compared.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from otel_resilience.errors.codecs.field_error import check_size, malformed
from otel_resilience.errors.codecs.structured_field import (
    Item,
    Member,
    StructuredFieldError,
    parse_dictionary,
)
from otel_resilience.errors.limits import HARD, LONGEST_DEADLINE

_MOST = 10**15 - 1  # what a structured Integer can hold


@dataclass(frozen=True, slots=True)
class RequestField:
    """``deadline`` in remaining seconds; ``None`` where the field says nothing of it.

    Raises ``ValueError`` for a deadline that is not a number and for an attempt below 1 or of more than 15 digits.
    """

    deadline: float | None = None
    attempt: int | None = None
    chain: bool = False

    def __post_init__(self) -> None:
        if self.deadline is not None and math.isnan(self.deadline):
            raise ValueError("RequestField deadline must be a number of seconds, got nan")
        if self.attempt is not None and not 1 <= self.attempt <= _MOST:
            raise ValueError(f"RequestField attempt must be from 1 to {_MOST}, got {self.attempt}")


def encode(field: RequestField) -> str:
    """``field`` as text. The deadline is rounded down: the server must not believe in time that is not there."""
    parts: list[str] = []
    if field.deadline is not None and field.deadline != math.inf:
        parts.append(f"deadline={int(min(max(0.0, field.deadline) * 1000, LONGEST_DEADLINE))}")
    if field.attempt is not None:
        parts.append(f"attempt={field.attempt}")
    if field.chain:
        parts.append("chain")
    return ", ".join(parts)


def decode(text: str) -> RequestField:
    """The field in ``text``; keys that we do not know are ignored. Raises ``FieldError`` for everything else."""
    check_size(text, HARD)
    try:
        members = parse_dictionary(text)
    except StructuredFieldError as error:
        raise malformed(str(error)) from None
    deadline = _whole(members.get("deadline"), "deadline", 0)
    chain = members.get("chain", Item(False))
    if not isinstance(chain, Item) or not isinstance(chain.value, bool):
        raise malformed("chain is a Boolean")
    return RequestField(
        deadline=None if deadline is None else min(deadline, LONGEST_DEADLINE) / 1000,
        attempt=_whole(members.get("attempt"), "attempt", 1),
        chain=chain.value,
    )


def _whole(member: Member | None, key: str, least: int) -> int | None:
    if member is None:
        return None
    if not isinstance(member, Item) or type(member.value) is not int or member.value < least:
        raise malformed(f"{key} is a whole number from {least} on")
    return member.value
