"""The pattern of our own form beside the parser of structured fields: it may know less, and never anything else."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import re
from dataclasses import FrozenInstanceError

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from otel_resilience import ErrorChain, Hop
from otel_resilience.errors.codecs import canonical_chain, chain_members
from otel_resilience.errors.codecs.error_chain import decode, encode
from otel_resilience.errors.codecs.field_error import FieldError
from tests.errors.chains import SPAN, TRACE, chains, golden, plain_names

#: What a hop is made of, right and wrong, to be put together in any order.
_PIECES = [
    *('"s"', '"a b"', '"é"', '"a\\"b"', '"a\\\\"', '""', f'"{"x" * 64}"', f'"{"x" * 65}"', '%"s"', '%"b%c3%bc"', "s"),
    *(";c=C", ";c=HTTP_503", f";c={'C' * 63}", f";c={'C' * 64}", ";c=c", ";c=_C", ";c=C1", ';c="C"', ";c", ";c=C/D"),
    *(f';t="{TRACE}"', f';t="{"0" * 32}"', f';t="{TRACE[:-1]}"', f';t="{TRACE}0"', f';t="{TRACE.upper()}"', ";t=?0"),
    *(f';s="{SPAN}"', f';s="{"0" * 16}"', f';s="{SPAN[:-1]}"', f';s="{SPAN}0"', f";s={SPAN}"),
    *(";r", ";e", ";r=?1", ";r=?0", ";e=?1", ";r=1", ";e=1.0"),
    *(';o="POST /x"', ';o=""', f';o="{"y" * 65}"', ';o=%"%c3%bc"', ";o=o", ';v="1.4"', ';v=""', ";v=1.4"),
    *(";k=rejected", ";k=remote", ";k=timeout", ";k=local", ";k=odd", ';k="remote"', ";k"),
    *(";n=1", ";n=0", ";n=-1", ";n=01", ";n=999999", ";n=1000000", ";n=1000001", ";n=1.0", ";n"),
    *(";zone=eu", ";z", ";x=(1)", ";c2=C", ";"),
    *(", ", ",", " ,", ",\t", ", ,", " ", "\t", "\n", "\x00", "é", "\ud800", ";;"),
]  # fmt: skip
_SIGNS = '"\\;,=%?@:*()_ .\t\n\x7f0aAfgGzé\ud800'


def same(text: str) -> ErrorChain | None:
    """What the pattern makes of ``text``, which is nothing, or just what the parser makes of it."""
    found = canonical_chain.read(text)
    if found is not None:
        parsed = chain_members.read(text)
        assert found == parsed
        assert repr(found) == repr(parsed)  # of the same types too
        assert [type(hop) for hop in found.hops] == [Hop] * len(found.hops)
    return found


@given(chains(names=plain_names, unknown=st.just(())))
def test_what_we_write_is_what_the_pattern_reads(chain: ErrorChain) -> None:
    found = same(encode(chain))
    assert found is not None
    assert found.services_involved[-1] == chain.services_involved[-1]
    if found.omitted == chain.omitted and len(encode(chain)) <= 1024:
        assert found == chain


@given(chains())
def test_of_whatever_is_written_both_make_the_same(chain: ErrorChain) -> None:
    text = encode(chain)
    assert same(text) in (None, decode(text))


@settings(max_examples=1000, deadline=None)
@given(st.lists(st.sampled_from(_PIECES), max_size=14).map("".join))
@example('"s";c=C, ')
@example(', "s";c=C')
@example('"s";c=C,"p";c=C')
@example('"s";c=C, "p";c=C;n=1')
@example(f'"s";c=C, "p";c=C;t="{TRACE}"')
@example('"s";c=C;k=local')
@example('"s";c=C;n=1000000')
@example('"s";c=C;n=1000001')
@example('"s";c=C;r;r')
@example('"s";c=C;e;r')
@example('"s";c=C;o=""')
@example(", ".join(['"s";c=C'] * 8))
@example(", ".join(['"s";c=C'] * 9))
def test_of_pieces_in_any_order_both_make_the_same(text: str) -> None:
    _compare(text)


@settings(max_examples=1000, deadline=None)
@given(chains(names=plain_names, unknown=st.just(()), most=3), st.data())
def test_of_nearly_our_own_form_both_make_the_same(chain: ErrorChain, data: st.DataObject) -> None:
    text = list(encode(chain))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text)))
        new = data.draw(st.sampled_from(_SIGNS) | st.sampled_from(_PIECES) | st.just(""))
        text[at : at + data.draw(st.integers(0, 3))] = new
    _compare("".join(text))


@given(st.text(_SIGNS + "crtsevkno", max_size=40))
def test_of_any_text_both_make_the_same(text: str) -> None:
    _compare(text)


def _compare(text: str) -> None:
    try:
        same(text)
    except FieldError:
        pytest.fail(f"the pattern reads what the parser refuses: {text!r}")


@pytest.mark.parametrize("text", [block.text for block in golden() if "%" not in block.text and "=1.5" not in block.text])  # fmt: skip
def test_golden_chains_of_our_own_form_need_no_parser(text: str) -> None:
    assert same(text) is not None


@pytest.mark.parametrize("text", ["", ", ", '"s";c=C, ', '"s";c=C,', ' "s";c=C', '"s";c=C ', '"s";c=C\n', '"s";c=C;zone="eu"'])  # fmt: skip
def test_another_form_is_left_to_the_parser(text: str) -> None:
    assert canonical_chain.read(text) is None


def test_a_chain_that_was_read_is_a_value_as_any_other() -> None:
    text = f'"s";c=C;t="{TRACE}";s="{SPAN}";r;e;o="POST /x";v="1";k=rejected;n=2'
    chain = canonical_chain.read(text)
    assert chain is not None
    made = Hop(
        service="s",
        code="C",
        trace_id=TRACE,
        span_id=SPAN,
        retryable=True,
        exhausted=True,
        operation="POST /x",
        version="1",
        kind="rejected",  # type: ignore[arg-type]  # its text is taken too
    )
    assert chain == ErrorChain((made,), 2)
    assert hash(chain) == hash(ErrorChain((made,), 2))
    for value, field in ((chain, "omitted"), (chain.root, "service"), (chain.root, "unknown")):
        with pytest.raises(FrozenInstanceError):
            setattr(value, field, getattr(value, field))
        with pytest.raises(FrozenInstanceError):
            delattr(value, field)
    assert pickle.loads(pickle.dumps(chain)) == copy.deepcopy(chain) == chain
    assert dataclasses.replace(chain.root, code="D") == dataclasses.replace(made, code="D")
    with pytest.raises(ValueError, match=re.escape("Hop code must be UPPER_SNAKE")):
        dataclasses.replace(chain.root, code="d")
