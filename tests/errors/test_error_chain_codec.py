"""``error-chain`` on the wire: golden texts, what is refused, and whatever hypothesis can think of."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import http_sf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_resilience import ErrorChain, Hop
from otel_resilience.errors.codecs.error_chain import decode, encode
from otel_resilience.errors.codecs.field_error import FieldError
from otel_resilience.errors.hop import HopKind
from tests.errors.chains import SPAN, TRACE, Golden, chains, golden, meaning
from tests.errors.structured import theirs


@pytest.mark.parametrize("block", golden(), ids=lambda block: block.name)
def test_golden_chains_mean_the_same_after_the_wire(block: Golden) -> None:
    chain = decode(block.text)
    assert meaning(chain) == block.meaning
    assert encode(chain) == block.text
    assert decode(encode(chain)) == chain


def test_every_member_of_a_hop_arrives() -> None:
    chain = decode(f'"s";c=C;t="{TRACE}";s="{SPAN}";r;e;o="POST /x";v="1";k=rejected;n=2;new=7')
    assert chain.root == Hop(
        service="s",
        code="C",
        trace_id=TRACE,
        span_id=SPAN,
        retryable=True,
        exhausted=True,
        operation="POST /x",
        version="1",
        kind=HopKind.REJECTED,
        unknown=(("new", 7),),
    )
    assert (chain.omitted, chain.exhausted, chain.trace_id, chain.root.timestamp) == (2, True, TRACE, None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        '"s"',
        "s;c=C",
        '"s";c="C"',
        '"s";c=lower',
        '"";c=C',
        '"s";c=C,',
        '"s";c=C;t="' + "0" * 32 + '"',
        '"s";c=C;t="' + "A" * 32 + '"',
        '"s";c=C;s="short"',
        '"s";c=C;s=7',
        '"s";c=C;r=1',
        '"s";c=C;k=odd',
        '"s";c=C;k="rejected"',
        '"s";c=C;n=-1',
        f'"s";c=C, "p";c=C;t="{TRACE}"',
        '"s";c=C, "p";c=C;n=1',
        '"s";c=C;n=9999999999',
        '"s";c=C;o=token',
        '("s";c=C)',
        '"s\n";c=C',
        '%"a%0ab";c=C',
        '"s";c=C' + "X" * 63,
        ", ".join(['"s";c=C'] * 9),
        "\ud800",
        "é",
    ],
)
def test_what_is_no_chain_is_malformed(text: str) -> None:
    with pytest.raises(FieldError) as caught:
        decode(text)
    assert caught.value.reason == "malformed"


@given(chains())
def test_what_is_written_is_the_contracts_text_and_read_back(chain: ErrorChain) -> None:
    held, text = written(chain)
    assert encode(chain) == text
    assert decode(text) == held


@given(st.text())
def test_any_text_is_a_chain_or_a_field_error(text: str) -> None:
    try:
        decode(text)
    except FieldError:
        pass


def written(chain: ErrorChain) -> tuple[ErrorChain, str]:
    """What of ``chain`` goes on the wire and its text, by the rules and the independent writer."""
    for left_out in ((), ("operation",), ("operation", "version")):
        held = without(chain, *left_out)
        text = http_sf.ser([member(hop, held) for hop in held.hops])
        if len(text) <= 1024:
            return held, text
    if len(text) > 2048:
        held = without(held, "unknown")
        text = http_sf.ser([member(hop, held) for hop in held.hops])
    while len(text) > 2048:
        held = ErrorChain((held.root, *held.hops[2:]), held.omitted + 1)
        text = http_sf.ser([member(hop, held) for hop in held.hops])
    return held, text


def without(chain: ErrorChain, *fields: str) -> ErrorChain:
    empty: dict[str, Any] = {"operation": None, "version": None, "unknown": ()}
    changes = {field: empty[field] for field in fields}
    return ErrorChain(tuple(replace(hop, **changes) for hop in chain.hops), chain.omitted)


def member(hop: Hop, chain: ErrorChain) -> tuple[Any, dict[str, Any]]:
    """``hop`` as a member of a List."""
    is_root = hop is chain.root
    given = {
        "c": http_sf.Token(hop.code),
        "t": hop.trace_id if is_root else None,
        "s": hop.span_id,
        "r": hop.retryable or None,
        "e": hop.exhausted or None,
        "o": string(hop.operation),
        "v": string(hop.version),
        "k": None if hop.kind is HopKind.LOCAL else http_sf.Token(str(hop.kind)),
        "n": chain.omitted or None if is_root else None,
        **{key: theirs(value) for key, value in hop.unknown},
    }
    return string(hop.service), {key: value for key, value in given.items() if value is not None}


def string(text: str | None) -> Any:
    return text if text is None or text.isascii() else http_sf.DisplayString(text)
