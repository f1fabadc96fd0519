"""TOML: values, and the line of a syntax error."""

from __future__ import annotations

import pytest

from otel_resilience.config.toml_document import read_toml


def test_values() -> None:
    document = read_toml('mode = "off"\n[services.a]\ntimeout = 1.5\nmatch = ["x"]\n')
    assert document.value == {"mode": "off", "services": {"a": {"timeout": 1.5, "match": ["x"]}}}
    assert (document.faults, document.line(("services", "a"))) == ((), None)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("a = 1\nb = \n", 2, "is not TOML: Invalid value"),
        ("a = 1\na = 2\n", 2, "is not TOML: Cannot overwrite a value"),
        ('a = "x', 1, "is not TOML: Unterminated string"),
        ("a = " + "9" * 5000, None, "is not TOML: Exceeds the limit"),
        ("a = " + "[" * 5000, None, "is nested too deeply"),
    ],
)
def test_a_syntax_error_has_its_line(text: str, line: int | None, said: str) -> None:
    document = read_toml(text)
    assert [(fault.path, fault.line) for fault in document.faults] == [("", line)]
    assert document.faults[0].reason.startswith(said)
