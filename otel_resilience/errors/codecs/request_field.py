"""``resilience``: what goes out with a request, as a structured Dictionary.

    resilience: deadline=1250, attempt=2, chain

Remaining milliseconds, number of the attempt (1 is the first), "I read error chains". Never an instant: clocks of two hosts
are not compared.
"""

from __future__ import annotations

from dataclasses import dataclass

from otel_resilience.errors.codecs.field_error import check_size, malformed
from otel_resilience.errors.codecs.structured_field import (
    Item,
    Member,
    StructuredFieldError,
    parse_dictionary,
)
from otel_resilience.errors.limits import HARD

_MOST = 10**15 - 1  # what a structured Integer can hold


@dataclass(frozen=True, slots=True)
class RequestField:
    """``deadline`` in remaining seconds; ``None`` where the field says nothing of it."""

    deadline: float | None = None
    attempt: int | None = None
    chain: bool = False


def encode(field: RequestField) -> str:
    """``field`` as text. The deadline is rounded down: the server must not believe in time that is not there."""
    parts: list[str] = []
    if field.deadline is not None:
        parts.append(f"deadline={min(_MOST, max(0, int(field.deadline * 1000)))}")
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
        deadline=None if deadline is None else deadline / 1000,
        attempt=_whole(members.get("attempt"), "attempt", 1),
        chain=chain.value,
    )


def _whole(member: Member | None, key: str, least: int) -> int | None:
    if member is None:
        return None
    if not isinstance(member, Item) or type(member.value) is not int or member.value < least:
        raise malformed(f"{key} is a whole number from {least} on")
    return member.value
