"""``error-chain``: a chain as a structured field (a List of Strings with parameters), the same text on every transport.

    "ledger";c=DB_UNAVAILABLE;t="<32 hex>";s="<16 hex>";r, "payments";c=HTTP_503;s="<16 hex>"

Root first. ``c`` code, ``t`` trace id (on the root), ``s`` span id, ``r`` retryable, ``e`` retries exhausted,
``o`` operation, ``v`` version, ``k`` kind where it is not ``local``, ``n`` hops omitted (on the root).
Parameters that we do not know are kept with their hop and sent on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from otel_resilience.errors.chain import ErrorChain
from otel_resilience.errors.codecs import structured_text
from otel_resilience.errors.codecs.field_error import check_size, malformed
from otel_resilience.errors.codecs.structured_field import (
    BareItem,
    DisplayString,
    Item,
    Member,
    Parameters,
    StructuredFieldError,
    Token,
    parse_list,
)
from otel_resilience.errors.hop import Hop, HopKind
from otel_resilience.errors.limits import AIM, HARD, MAX_HOPS, MOST_OMITTED, cut_name
from otel_resilience.exceptions import is_code

_TRACE_ID = re.compile(r"(?!0{32})[0-9a-f]{32}")
_SPAN_ID = re.compile(r"(?!0{16})[0-9a-f]{16}")
_KNOWN = frozenset("ctsreovkn")
_NAMELESS = "unknown_service"  # as the semantic conventions of OpenTelemetry have it
_KINDS = frozenset(str(kind) for kind in HopKind)


def encode(chain: ErrorChain) -> str:
    """``chain`` as text, at most 2 KiB.

    Above 1 KiB operations, then versions are left out; above 2 KiB unknown parameters, then the hops after the
    root, oldest first, which are counted as omitted.
    """
    text = _write(chain)
    for spare in (_without_operations, _without_versions):
        if len(text) > AIM:
            chain = spare(chain)
            text = _write(chain)
    if len(text) > HARD:
        chain = _each(chain, lambda hop: replace(hop, unknown=()))
        text = _write(chain)
    while len(text) > HARD and len(chain.hops) > 1:
        chain = ErrorChain((chain.root, *chain.hops[2:]), chain.omitted + 1)
        text = _write(chain)
    return text


def decode(text: str) -> ErrorChain:
    """The chain in ``text``.

    Raises ``FieldError`` for everything else, before parsing where it is longer than 2 KiB.
    """
    check_size(text, HARD)
    try:
        members = parse_list(text)
    except StructuredFieldError as error:
        raise malformed(str(error)) from None
    if not 1 <= len(members) <= MAX_HOPS:
        raise malformed(f"a chain has 1 to {MAX_HOPS} hops, got {len(members)}")
    omitted = _omitted(members[0])
    return ErrorChain(
        tuple(_read(member, is_root=index == 0) for index, member in enumerate(members)), omitted
    )


def _write(chain: ErrorChain) -> str:
    return ", ".join(
        structured_text.text(cut_name(hop.service) or _NAMELESS)
        + structured_text.parameters(_parameters(hop, chain.omitted if index == 0 else None))
        + _unknown(hop)
        for index, hop in enumerate(chain.hops)
    )


def _parameters(hop: Hop, omitted: int | None) -> Parameters:
    """What ``hop`` says; ``omitted`` is ``None`` for all but the root."""
    known: Iterable[tuple[str, BareItem | None]] = (
        ("c", Token(hop.code)),
        ("t", None if omitted is None else hop.trace_id),
        ("s", hop.span_id),
        ("r", hop.retryable or None),
        ("e", hop.exhausted or None),
        ("o", _text_value(hop.operation)),
        ("v", _text_value(hop.version)),
        ("k", None if hop.kind is HopKind.LOCAL else Token(hop.kind)),
        ("n", min(omitted, MOST_OMITTED) if omitted else None),
    )
    return {key: value for key, value in known if value is not None}


def _unknown(hop: Hop) -> str:
    try:
        return structured_text.parameters({key: value for key, value in hop.unknown if key not in _KNOWN})
    except StructuredFieldError:
        # What was received can be written again; these were put together by hand, and the story is worth more than they are.
        return ""


def _text_value(text: str | None) -> str | None:
    if text is None:
        return None
    printable = cut_name(text)
    return printable if printable.isascii() else DisplayString(printable)


def _read(member: Member, *, is_root: bool) -> Hop:
    if not isinstance(member, Item) or type(member.value) not in (str, DisplayString):
        raise malformed("a hop is a String")
    given = dict(member.parameters)
    if not is_root and not given.keys().isdisjoint(("t", "n")):
        raise malformed("t and n belong to the root")
    try:
        code, kind = given.pop("c"), given.pop("k", Token(HopKind.LOCAL))
        if not (
            isinstance(code, Token) and isinstance(kind, Token) and is_code(code) and str(kind) in _KINDS
        ):
            raise malformed("c is an UPPER_SNAKE token, k a kind")
        hop = Hop(
            service=_name(member.value),
            code=str(code),
            kind=HopKind(str(kind)),
            trace_id=_matching(given.pop("t", None), _TRACE_ID),
            span_id=_matching(given.pop("s", None), _SPAN_ID),
            retryable=_flag(given.pop("r", False)),
            exhausted=_flag(given.pop("e", False)),
            operation=_optional_text(given.pop("o", None)),
            version=_optional_text(given.pop("v", None)),
        )
    except KeyError:
        raise malformed("a hop without a code") from None
    given.pop("n", None)
    return replace(hop, unknown=tuple(given.items()))


def _name(value: Any) -> str:
    name = str(value)
    if not name or not name.isprintable():
        raise malformed("a service's name is printable and not empty")
    return cut_name(name)


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


def _each(chain: ErrorChain, change: Callable[[Hop], Hop]) -> ErrorChain:
    return ErrorChain(tuple(change(hop) for hop in chain.hops), chain.omitted)


def _without_operations(chain: ErrorChain) -> ErrorChain:
    return _each(chain, lambda hop: replace(hop, operation=None))


def _without_versions(chain: ErrorChain) -> ErrorChain:
    return _each(chain, lambda hop: replace(hop, version=None))
