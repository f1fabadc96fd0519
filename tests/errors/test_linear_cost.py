"""Each production of structured fields, and each pattern, costs as much a byte in a large input as in a small one.

On the wire nothing above 2 KiB is read; here the functions below that limit are given more.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from otel_resilience.errors.codecs import canonical_chain, chain_members
from otel_resilience.errors.codecs.field_error import FieldError
from otel_resilience.errors.codecs.structured_field import (
    StructuredFieldError,
    parse_dictionary,
    parse_item,
    parse_list,
)
from tests.fuzz import bombs
from tests.fuzz.growth import MOST, growth_of_memory, growth_of_time

SMALL, LARGE = 1_500, 24_000


def refusing(parse: Callable[[str], object]) -> Callable[[str], None]:
    """``parse``, whose refusals are answers too."""

    def read(text: str) -> None:
        try:
            parse(text)
        except (StructuredFieldError, FieldError):
            pass

    return read


READERS: dict[str, tuple[Callable[[str], object], bombs.Bombs]] = {
    "list": (parse_list, bombs.FIELDS),
    "dictionary": (parse_dictionary, bombs.FIELDS),
    "item": (parse_item, bombs.FIELDS),
    "canonical": (canonical_chain.read, bombs.CHAINS),
    "members": (chain_members.read, bombs.CHAINS),
}


@pytest.mark.parametrize(
    ("reader", "bomb"), [(reader, bomb) for reader, (_, shapes) in READERS.items() for bomb in shapes]
)
def test_time_and_memory_are_linear(reader: str, bomb: str) -> None:
    parse, shapes = READERS[reader]
    small, large = shapes[bomb](SMALL), shapes[bomb](LARGE)
    assert growth_of_time(refusing(parse), small, large) <= MOST
    assert growth_of_memory(refusing(parse), small, large) <= MOST


def test_what_is_not_linear_is_found() -> None:
    def looks_twice(text: str) -> int:
        return sum(text.count("b", at) for at in range(0, len(text), 8))

    def keeps_twice(text: str) -> list[str]:
        return [text[at:] for at in range(0, len(text), 8)]

    assert growth_of_time(looks_twice, "a" * SMALL, "a" * LARGE) > MOST
    assert growth_of_memory(keeps_twice, "a" * SMALL, "a" * LARGE) > MOST
