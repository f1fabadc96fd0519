"""``error-chain`` in any form that a structured field may have: its members, read one by one."""

from __future__ import annotations

import re

from otel_resilience.errors.chain import ErrorChain
from otel_resilience.errors.codecs.field_error import malformed
from otel_resilience.errors.codecs.structured_field import (
    BareItem,
    DisplayString,
    Item,
    Member,
    StructuredFieldError,
    Token,
    parse_list,
)
from otel_resilience.errors.hop import SPAN_ID, TRACE_ID, Hop, HopKind
from otel_resilience.errors.limits import MAX_HOPS, MOST_OMITTED, cut_name
from otel_resilience.exceptions import is_code

#: The parameters of a hop that this version writes and reads.
KNOWN = frozenset("ctsreovkn")
_KINDS = {str(kind): kind for kind in HopKind}


def read(text: str) -> ErrorChain:
    """The chain in ``text``. Raises ``FieldError``."""
    try:
        members = parse_list(text)
    except StructuredFieldError as error:
        raise malformed(str(error)) from None
    if not 1 <= len(members) <= MAX_HOPS:
        raise malformed(f"a chain has 1 to {MAX_HOPS} hops, got {len(members)}")
    omitted = _omitted(members[0])
    return ErrorChain(
        tuple(_hop(member, is_root=index == 0) for index, member in enumerate(members)), omitted
    )


def _hop(member: Member, *, is_root: bool) -> Hop:
    if not isinstance(member, Item) or type(member.value) not in (str, DisplayString):
        raise malformed("a hop is a String")
    given = member.parameters
    if not is_root and not given.keys().isdisjoint(("t", "n")):
        raise malformed("t and n belong to the root")
    return Hop(
        service=_service(str(member.value)),
        code=_code(given.get("c")),
        kind=_kind(given.get("k")),
        trace_id=_matching(given.get("t"), TRACE_ID),
        span_id=_matching(given.get("s"), SPAN_ID),
        retryable=_flag(given.get("r", False)),
        exhausted=_flag(given.get("e", False)),
        operation=_optional_text(given.get("o")),
        version=_optional_text(given.get("v")),
        unknown=tuple((key, value) for key, value in given.items() if key not in KNOWN),
    )


def _service(name: str) -> str:
    if not name or not name.isprintable():
        raise malformed("a service's name is printable and not empty")
    return cut_name(name)


def _code(value: BareItem | None) -> str:
    if not (isinstance(value, Token) and is_code(value)):
        raise malformed("a hop has a code, an UPPER_SNAKE token")
    return str(value)


def _kind(value: BareItem | None) -> HopKind:
    if value is None:
        return HopKind.LOCAL
    if not (isinstance(value, Token) and value in _KINDS):
        raise malformed("k is a kind")
    return _KINDS[value]


def _matching(value: BareItem | None, pattern: re.Pattern[str]) -> str | None:
    if value is None:
        return None
    if type(value) is not str or pattern.fullmatch(value) is None:
        raise malformed("an id is lower-case hex and not zero")
    return value


def _flag(value: BareItem) -> bool:
    if not isinstance(value, bool):
        raise malformed("r and e are Booleans")
    return value


def _optional_text(value: BareItem | None) -> str | None:
    if value is None:
        return None
    if type(value) not in (str, DisplayString) or not str(value).isprintable():
        raise malformed("o and v are printable Strings")
    return cut_name(str(value))


def _omitted(root: Member) -> int:
    value = root.parameters.get("n", 0)
    if type(value) is not int or not 0 <= value <= MOST_OMITTED:
        raise malformed(f"n is a whole number from 0 to {MOST_OMITTED}")
    return value
