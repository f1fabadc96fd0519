"""The table and the kinds of error in the tests: each has what the other has, and each kind its code."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from otel_resilience.errors import code_readers
from otel_resilience.errors.code_table import TABLE
from otel_resilience.errors.codes import code_of
from tests.errors.every_kind import EVERY_KIND, KINDS


def row_of(error: BaseException) -> str | None:
    names = (f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__)
    return next((name for name in (each.removeprefix("builtins.") for each in names) if name in TABLE), None)


@pytest.mark.parametrize("name", EVERY_KIND)
def test_every_kind_has_its_code_by_its_row(name: str) -> None:
    kind = EVERY_KIND[name]
    error = kind.make()
    assert row_of(error) == kind.row
    assert code_of(error) == kind.code
    assert kind.make() is not error


def test_every_row_has_a_kind_and_every_kind_a_row() -> None:
    assert {kind.row for kind in KINDS} == set(TABLE)


def test_kinds_have_names_of_their_own_that_may_stand_in_a_url() -> None:
    assert len(EVERY_KIND) == len(KINDS)
    assert [name for name in EVERY_KIND if not re.fullmatch(r"[\w.-]+", name, re.ASCII)] == []


def test_all_that_an_error_may_say_is_said_by_a_kind() -> None:
    errors = [kind.make() for kind in KINDS]
    said = {getattr(error, "errno", None) for error in errors}
    assert set(code_readers.BY_ERRNO) <= said
    results = {getattr(error, "sqlite_errorname", "") for error in errors}
    assert set(code_readers.BY_SQLITE_RESULT) <= {"_".join(name.split("_")[:2]) for name in results}
    states = {getattr(error, "sqlstate", None) or getattr(error, "pgcode", None) or "" for error in errors}
    assert set(code_readers.BY_SQLSTATE) <= states | {state[:2] for state in states}
    replies = {str(error.args[0]).partition(" ")[0] for error in errors if error.args}
    assert set(code_readers.BY_REDIS_REPLY) <= replies


def test_the_table_loads_no_library() -> None:
    libraries = {row.partition(".")[0] for row in TABLE if "." in row} - {
        "asyncio",
        "http",
        "socket",
        "urllib",
    }
    code = f"import sys, otel_resilience.errors.codes; print(set({sorted(libraries)}) & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
