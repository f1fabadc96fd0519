"""YAML by the 1.2 core schema: the traps of 1.1 are not in it."""

from __future__ import annotations

import builtins
import datetime as dt
import json
import math
import sys
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from otel_resilience.config.yaml_document import read_yaml


def value_of(text: str) -> Any:
    document = read_yaml(text)
    assert document.faults == ()
    return document.value


def faults_of(text: str) -> list[str]:
    return [str(fault) for fault in read_yaml(text).faults]


@pytest.mark.parametrize("word", ["on", "off", "yes", "no", "On", "OFF", "Yes", "NO", "y", "n", "Y", "N"])
def test_words_that_were_booleans_are_texts(word: str) -> None:
    assert value_of(f"{word}: {word}") == {word: word}


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("true", True),
        ("True", True),
        ("FALSE", False),
        ("tRUE", "tRUE"),
        ("null", None),
        ("~", None),
        ("", None),
        ("nULL", "nULL"),
        ("0", 0),
        ("-12", -12),
        ("+12", 12),
        ("010", 10),
        ("0o10", 8),
        ("0x1F", 31),
        ("0b11", "0b11"),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("190:20:30", "190:20:30"),
        ("0o8", "0o8"),
        ("1.5", 1.5),
        ("1.", 1.0),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("1.5e-3", 0.0015),
        ("-.inf", -math.inf),
        (".INF", math.inf),
        ("inf", "inf"),
        ("nan", "nan"),
        ("2001-01-01", "2001-01-01"),
        ("2001-12-14t21:59:43.10-05:00", "2001-12-14t21:59:43.10-05:00"),
        ("=", "="),
        ("250ms", "250ms"),
        ("'1'", "1"),
        ('"true"', "true"),
        ("!!str 1", "1"),
        ("!!int '7'", 7),
        ("!!float 1", 1.0),
    ],
)
def test_scalars_are_those_of_the_core_schema(written: str, value: Any) -> None:
    found = value_of(f"a: {written}")["a"]
    assert (found, type(found)) == (value, type(value))


def test_not_a_number_is_a_number() -> None:
    assert math.isnan(value_of("a: .nan")["a"])


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(st.characters(categories=["L", "N", "P", "S"])),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text("abon", min_size=1), inner, max_size=3)
        ),
        max_leaves=8,
    )
)
def test_what_json_says_yaml_says_too(value: Any) -> None:
    assert value_of(json.dumps(value, ensure_ascii=False)) == value


@given(st.text())
def test_no_text_makes_the_reader_raise(text: str) -> None:
    read_yaml(text)


@given(st.text("-: \n[]{}&*a1!'\"|>#%?,<~", max_size=40))
def test_no_text_of_yaml_signs_makes_the_reader_raise(text: str) -> None:
    read_yaml(text)


def test_lines_are_those_of_the_keys() -> None:
    document = read_yaml("# first\nservices:\n  a:\n    match:\n      - x\n      - y\n    timeout: 1s\n")
    paths: list[tuple[str | int, ...]] = [
        ("services",),
        ("services", "a"),
        ("services", "a", "match"),
        ("services", "a", "match", 1),
        ("services", "a", "timeout"),
    ]
    assert [document.line(path) for path in paths] == [2, 3, 4, 6, 7]


def test_what_is_not_written_has_the_line_of_what_is_around_it() -> None:
    assert read_yaml("a:\n  b: 1\n").line(("a", "c", "d")) == 1


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("a: 1\nb: 2\na: 3\n", ["line 3: a: the key is written twice, first on line 1"]),
        ("a: {on: 1, 'on': 2}", ["line 1: a.on: the key is written twice, first on line 1"]),
        (
            "a: 1\n---\nb: 2\n",
            ["line 2: is not YAML: a policy file is one document, here a second one begins"],
        ),
        ("a: &x\n  b: *x\n", ["line 1: a.b: an alias must not stand inside of what it names"]),
        ("a: &x [1, [*x]]", ["line 1: a[1][0]: an alias must not stand inside of what it names"]),
        ("a: *nobody\n", ["line 1: is not YAML: found undefined alias 'nobody'"]),
        ("a:\n  b: [1\n", ["line 3: is not YAML: expected ',' or ']', but got '<stream end>'"]),
        ("a:\n\tb: 1\n", ["line 2: is not YAML: found character '\\t' that cannot start any token"]),
        ("a: b\nc: \x00\n", ["line 2: holds a character that YAML does not allow"]),
        ("1: a", ["line 1: a key must be a text, got 1; put it in quotes"]),
        ("a:\n  true: b", ["line 2: a: a key must be a text, got true; put it in quotes"]),
        ("? [a]\n: b", ["line 1: a key must be a text, got a map or a list"]),
        (
            "a: !!timestamp 2001-01-01",
            [
                "line 1: a: the tag 'tag:yaml.org,2002:timestamp' does not fit '2001-01-01' in YAML's core schema"
            ],
        ),
        ("a: !!set {b: }", ["line 1: a: the tag 'tag:yaml.org,2002:set' is not one of YAML's core schema"]),
        (
            "a: !!python/name:os.system x",
            [
                "line 1: a: the tag 'tag:yaml.org,2002:python/name:os.system' does not fit 'x' in YAML's core schema"
            ],
        ),
        ("a: !!int x", ["line 1: a: the tag 'tag:yaml.org,2002:int' does not fit 'x' in YAML's core schema"]),
        (
            "x: &x {b: 1}\na:\n  <<: *x\n",
            ["line 3: a: merge keys (<<) are not part of YAML 1.2; defaults are inherited by every service"],
        ),
        ("a: " + "9" * 5000, ["line 1: a: the number has too many digits"]),
        ("[" * 5000, ["is nested too deeply"]),
    ],
)
def test_faults_of_the_format(text: str, faults: list[str]) -> None:
    assert faults_of(text) == faults


def test_aliases_are_values_each_time() -> None:
    assert value_of("a: &x {b: 1}\nc: [*x, *x]\n") == {"a": {"b": 1}, "c": [{"b": 1}, {"b": 1}]}


def test_aliases_of_aliases_do_not_fill_the_memory() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    assert faults_of("\n".join(lines)) == ["holds more than 100000 values, aliases counted each time"]


def test_the_library_is_asked_for_by_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without_yaml(name: str, *rest: Any, **more: Any) -> Any:
        if name == "yaml":
            raise ModuleNotFoundError("No module named 'yaml'", name="yaml")
        return real(name, *rest, **more)

    monkeypatch.delitem(sys.modules, "yaml")
    monkeypatch.setattr(builtins, "__import__", without_yaml)
    assert faults_of("a: 1") == ["reading YAML needs PyYAML: pip install 'otel-resilience[config]'"]


def test_the_library_stays_as_it_was_for_others() -> None:
    read_yaml("a: on")
    assert yaml.safe_load("a: on\nb: 2001-01-01") == {"a": True, "b": dt.date(2001, 1, 1)}
