"""Our structured fields beside those of ``http_sf``, an independent library: values, and texts of any shape."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import http_sf
from hypothesis import strategies as st

from otel_resilience.errors.codecs.structured_field import (
    Date,
    DisplayString,
    InnerList,
    Item,
    Token,
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

#: Values of ours that a field can hold, as they are after a wire.
bare_items: st.SearchStrategy[Any] = st.one_of(
    st.integers(-(10**15) + 1, 10**15 - 1),
    st.integers(-(10**15) + 1, 10**15 - 1).map(lambda thousandths: Decimal(thousandths) / 1000),
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=20),
    st.from_regex(r"[A-Za-z*][A-Za-z0-9!#$%&'*+\-.^_`|~:/]{0,20}", fullmatch=True).map(Token),
    st.binary(max_size=20),
    st.booleans(),
    # The other library ends with the years that datetime has.
    st.integers(-62135596800, 253402300799).map(Date),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20).map(DisplayString),
)
keys = st.from_regex(r"[a-z*][a-z0-9_.*-]{0,8}", fullmatch=True)
parameters = st.dictionaries(keys, bare_items, max_size=3)
items = st.builds(Item, bare_items, parameters)
inner_lists = st.builds(InnerList, st.lists(items, max_size=3).map(tuple), parameters)
members = items | inner_lists


def theirs(ours: Any) -> Any:
    """A value of ours as a value of theirs."""
    match ours:
        case Item():
            return theirs(ours.value), theirs(ours.parameters)
        case InnerList():
            return theirs(list(ours.items)), theirs(ours.parameters)
        case list():
            return [theirs(each) for each in ours]
        case Mapping():
            return {key: theirs(value) for key, value in ours.items()}
        case Token():
            return http_sf.Token(str(ours))
        case DisplayString():
            return http_sf.DisplayString(str(ours))
        case Date():
            return _EPOCH + timedelta(seconds=int(ours))
    return ours


def told(value: Any) -> Any:
    """A value of either with its kind, so that equal is what is the same: ``1`` is not ``1.0``, ``a`` not ``"a"``."""
    match value:
        case Item():
            return told(value.value), told(value.parameters)
        case InnerList():
            return told(list(value.items)), told(value.parameters)
        case tuple():
            return tuple(told(each) for each in value)
        case list():
            return [told(each) for each in value]
        case Mapping():
            return [(key, told(each)) for key, each in value.items()]  # in their order
        case Date():
            return "datetime", int(value)
        case datetime():
            return "datetime", (value - _EPOCH) // timedelta(seconds=1)
        case Decimal():
            return "Decimal", value  # 1.50 is 1.5
    return type(value).__name__, str(value)
