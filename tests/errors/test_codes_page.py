"""The page of error codes against the code, both ways."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest

from otel_resilience import exceptions
from otel_resilience.errors.codes import RETRYABLE
from tests.errors.every_kind import KINDS

PAGE = (Path(__file__).parents[2] / "docs" / "error_codes.md").read_text(encoding="utf-8")

OURS = {
    name: kind.error_code
    for name, kind in vars(exceptions).items()
    if isinstance(kind, type)
    and issubclass(kind, exceptions.ResilienceError)
    and kind is not exceptions.RejectedError
}


class Row(NamedTuple):
    code: str
    retryable: str
    source: str


def rows(heading: str) -> list[Row]:
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in section.splitlines()
        if line[:1] == "|"
    ]
    return [
        Row(code, retryable, source)
        for codes, _, retryable, source in cells[2:]
        for code in re.findall(r"`([^`]+)`", codes)
    ]


@pytest.mark.parametrize("code", sorted({kind.code for kind in KINDS} - {"INTERNAL"}))
def test_a_code_of_the_table_names_its_libraries(code: str) -> None:
    (row,) = [each for each in rows("Codes of libraries") if each.code == code]
    assert set(row.source.split(", ")) == {kind.library for kind in KINDS if kind.code == code}


def test_the_codes_of_libraries_are_those_of_the_table() -> None:
    told = [row.code for row in rows("Codes of libraries")]
    assert sorted(told) == sorted({kind.code for kind in KINDS} - {"INTERNAL"})


def test_the_codes_of_this_library_are_those_of_its_exceptions() -> None:
    assert {row.source.strip("`"): row.code for row in rows("Codes of this library")} == OURS


def test_it_says_what_is_retryable() -> None:
    headings = re.findall(r"^## (Codes .+)$", PAGE, re.MULTILINE)
    every = [row for heading in headings for row in rows(heading)]
    assert {row.code for row in every if row.retryable == "yes"} == RETRYABLE
    assert {row.code for row in every if row.retryable not in {"yes", "no"}} == {"SERVICE_TIMEOUT"}
