"""Our parser and writer of structured fields beside an independent one: the same texts, the same values, the same refusals."""

from __future__ import annotations

import decimal
from decimal import Decimal
from typing import Any

import http_sf
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from otel_resilience.errors.codecs.structured_field import (
    Date,
    DisplayString,
    Item,
    StructuredFieldError,
    Token,
    parse_dictionary,
    parse_item,
    parse_list,
)
from otel_resilience.errors.codecs.structured_text import bare_item, parameters
from tests.errors import structured
from tests.errors.structured import theirs, told

PARSERS = {"list": parse_list, "dictionary": parse_dictionary, "item": parse_item}
FIELDS = {
    "list": st.lists(structured.members, min_size=1, max_size=4),
    "dictionary": st.dictionaries(structured.keys, structured.members, min_size=1, max_size=4),
    "item": structured.items,
}
_SIGNS = '"\\,;=:?@%()ab10-. \tAZ*/+é\x00\x7f'


def compare(kind: str, text: str) -> None:
    """Both read ``text`` as the same, or both refuse it."""
    try:
        expected = http_sf.parse(text.encode(), tltype=kind)
    except Exception as refusal:  # whatever the other library raises, it refuses
        if "Date value out of range" in str(refusal):
            return  # a date of the other library ends with the year 9999
        with pytest.raises(StructuredFieldError):
            PARSERS[kind](text)
        return
    assert told(PARSERS[kind](text)) == told(expected)


@pytest.mark.parametrize("kind", PARSERS)
@settings(max_examples=1000, deadline=None)
@given(text=st.text(_SIGNS, max_size=24))
@example(text=":=:")
@example(text='"a";b=1;c, d')
@example(text="a=(1 2);q, b;x=?0")
@example(text='%"f%c3%bc%c3%bc"')
@example(text="1.1234")
@example(text="9999999999999999")
@example(text="a=1, b=2, a=3")
@example(text="a;x=1;y;x=2")
@example(text="a,\tb")
@example(text="@-1;x=@1")
def test_any_text_is_read_as_the_same_or_refused_by_both(kind: str, text: str) -> None:
    compare(kind, text)


@pytest.mark.parametrize("kind", PARSERS)
@settings(deadline=None)
@given(data=st.data())
def test_any_field_is_read_as_what_it_says_by_both(kind: str, data: st.DataObject) -> None:
    field = data.draw(FIELDS[kind])
    text = http_sf.ser(theirs(field))
    assert told(PARSERS[kind](text)) == told(field) == told(http_sf.parse(text.encode(), tltype=kind))


@pytest.mark.parametrize("kind", PARSERS)
@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_a_field_that_was_changed_is_read_as_the_same_or_refused_by_both(
    kind: str, data: st.DataObject
) -> None:
    text = list(http_sf.ser(theirs(data.draw(FIELDS[kind]))))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text)))
        text[at : at + data.draw(st.integers(0, 2))] = data.draw(st.text(_SIGNS, max_size=2))
    compare(kind, "".join(text))


@given(structured.items)
def test_an_item_is_written_as_the_other_writes_it(item: Item) -> None:
    assert bare_item(item.value) + parameters(item.parameters) == http_sf.ser(theirs(item))


@given(
    st.decimals(allow_nan=True, allow_infinity=True)
    | st.integers()
    | st.text(max_size=5)
    | st.text(max_size=5).map(Token)
    | st.text(max_size=5).map(DisplayString)
)
@example(Decimal("999999999999.9996"))
@example(Decimal("-0.0004"))
@example(Decimal("-0.0"))
@example(Decimal("0.0005"))
@example(Decimal("0.0015"))
@example(Decimal("1E+11"))
@example(Decimal("-1E-99"))
def test_what_was_put_together_by_hand_is_written_as_the_same_or_refused_by_both(value: Any) -> None:
    try:
        expected = http_sf.ser(theirs(value))
    except (ValueError, ArithmeticError):
        with pytest.raises(StructuredFieldError):
            bare_item(value)
        return
    assert bare_item(value) == expected


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "?1"),
        (-7, "-7"),
        (Decimal("1.5"), "1.5"),
        (Decimal(2), "2.0"),
        (Decimal("0.0015"), "0.002"),
        ('a "quoted" \\', '"a \\"quoted\\" \\\\"'),
        (Token("a/b"), "a/b"),
        (b"hi", ":aGk=:"),
        (Date(-1), "@-1"),
        (DisplayString("fü%"), '%"f%c3%bc%25"'),
    ],
)
def test_bare_items_are_written_and_read_back(value: Any, text: str) -> None:
    assert bare_item(value) == text
    assert parse_item(text).value == (Decimal("0.002") if value == Decimal("0.0015") else value)
    assert type(parse_item(text).value) is type(value)


@pytest.mark.parametrize(
    "value", [10**15, Decimal(10**12), Decimal("NaN"), "ü", Token(""), Token("1a"), DisplayString("\ud800")]
)
def test_what_no_field_can_hold_is_refused(value: Any) -> None:
    with pytest.raises(StructuredFieldError):
        bare_item(value)


def test_the_applications_decimal_context_changes_nothing() -> None:
    """As a program that counts money sets one: with few digits, and every rounding an error."""
    with decimal.localcontext(decimal.Context(prec=3, traps=[decimal.Inexact, decimal.InvalidOperation])):
        assert parse_item("123456789.125").value == Decimal("123456789.125")
        assert bare_item(Decimal("123456789.125")) == "123456789.125"
        assert bare_item(Decimal("0.0015")) == "0.002"
