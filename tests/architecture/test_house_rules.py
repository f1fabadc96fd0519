"""The rules of the house that a machine can see."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import otel_resilience
from tests.architecture.sources import PROJECT, modules, python_files

LONGEST = 300
#: In one of the first lines of a file that is longer, followed by why.
REASON = "longer than 300 lines"

WRITTEN = (".py", ".md", ".toml", ".yaml", ".yml", ".json", ".sh", ".txt", ".cfg", ".ini")
SHIPPED = ("otel_resilience", "instrumentation", "tests", "tools", "docs", "deploy", "examples")
#: Places that exist on one machine only.
PLACES = re.compile(r"(?<![\w./])(/(?:work|root|home/\w+|Users/\w+)/)")


def test_a_file_can_be_read_in_one_sitting() -> None:
    too_long = []
    for path in python_files("otel_resilience", "instrumentation", "tests", "tools"):
        lines = path.read_text(encoding="utf-8").splitlines()
        if len(lines) > LONGEST and REASON not in " ".join(lines[:15]).casefold():
            too_long.append(f"{path.relative_to(PROJECT)}: {len(lines)} lines")
    assert not too_long, "\n".join(too_long)


def test_nothing_names_a_place_on_one_machine() -> None:
    named = [
        f"{path.relative_to(PROJECT)}:{number}: {line.strip()}"
        for path in _written_files()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if PLACES.search(line)
    ]
    assert not named, "\n".join(named)


def test_every_module_says_what_it_is() -> None:
    written = {name: path.read_text(encoding="utf-8") for name, path in modules().items()}
    silent = [
        name for name, text in written.items() if text.strip() and not ast.get_docstring(ast.parse(text))
    ]
    assert not silent, "\n".join(silent)


def test_switched_off_checks_give_their_reason() -> None:
    bare = re.compile(r"#\s*(type:\s*ignore(\[[\w, -]+\])?|noqa(:\s*[A-Z0-9, ]+)?|pragma: no cover)\s*$")
    unexplained = [
        f"{path.relative_to(PROJECT)}:{number}"
        for path in python_files("otel_resilience", "instrumentation", "tools")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if bare.search(line)
    ]
    assert not unexplained, "\n".join(unexplained)


def test_the_public_list_is_sorted_and_complete() -> None:
    public = otel_resilience.__all__
    assert list(public) == sorted(public)
    assert [name for name in public if not hasattr(otel_resilience, name)] == []
    assert set(public) <= set(dir(otel_resilience))
    assert not hasattr(otel_resilience, "nothing_of_that_name")


def test_the_package_re_exports_and_does_nothing_else() -> None:
    """What a type checker reads, what is loaded when it is asked for, and the list of names are the same."""
    body = ast.parse(Path(otel_resilience.__file__).read_text(encoding="utf-8")).body
    (checked, lookup) = (node for node in body if isinstance(node, ast.If))
    assert {type(node) for node in body} <= {ast.Expr, ast.ImportFrom, ast.Assign, ast.If}
    assert {type(node) for node in lookup.body} == {ast.FunctionDef}
    declared = {
        alias.name: str(node.module).removeprefix("otel_resilience.")
        for node in checked.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert declared == otel_resilience._MODULES
    assert sorted(declared) == sorted(otel_resilience.__all__)


def _written_files() -> Iterator[Path]:
    yield from (PROJECT / name for name in ("Makefile", "pyproject.toml", ".ci/run", "tools/find-python"))
    yield from PROJECT.glob("*.md")
    for folder in SHIPPED:
        yield from (path for path in (PROJECT / folder).rglob("*") if path.suffix in WRITTEN)
