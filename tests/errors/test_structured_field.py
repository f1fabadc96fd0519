"""Our parser of structured fields beside an independent one."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import http_sf
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from otel_resilience.errors.codecs.structured_field import (
    Date,
    DisplayString,
    InnerList,
    Item,
    StructuredFieldError,
    Token,
    parse_dictionary,
    parse_item,
    parse_list,
)
from otel_resilience.errors.codecs.structured_text import bare_item

texts = st.text('"\\,;=:?@%()ab10-. \tAZ*/+é', max_size=24)


def plain(x: Any) -> Any:
    """Values of either library in a common form."""
    if isinstance(x, Item):
        return (plain(x.value), {key: plain(value) for key, value in x.parameters.items()})
    if isinstance(x, InnerList):
        return ([plain(item) for item in x.items], {key: plain(value) for key, value in x.parameters.items()})
    if isinstance(x, tuple):
        return tuple(plain(part) for part in x)
    if isinstance(x, list):
        return [plain(part) for part in x]
    if isinstance(x, dict):
        return {key: plain(value) for key, value in x.items()}
    if isinstance(x, bool | bytes):
        return x
    if isinstance(x, int | Decimal | float):
        return Decimal(str(x))
    return str(x) if not hasattr(x, "timestamp") else Decimal(int(x.timestamp()))


@pytest.mark.parametrize(
    ("parse", "kind"), [(parse_list, "list"), (parse_dictionary, "dictionary"), (parse_item, "item")]
)
@settings(max_examples=1500, deadline=None)
@given(text=texts)
@example(text=":=:")
@example(text='"a";b=1;c, d')
@example(text="a=(1 2);q, b;x=?0")
@example(text='%"f%c3%bc%c3%bc"')
@example(text="1.1234")
@example(text="9999999999999999")
def test_the_same_texts_are_accepted_with_the_same_values(parse: Any, kind: str, text: str) -> None:
    try:
        theirs = http_sf.parse(text.encode(), tltype=kind)
    except Exception:  # whatever the other library raises, it refuses
        with pytest.raises(StructuredFieldError):
            parse(text)
        return
    if "@" in text:
        return  # a date of the other library ends with the year 9999
    assert plain(parse(text)) == plain(theirs)


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
