"""Durations as a policy file says them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_resilience.config.durations import seconds_of


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("250ms", 0.25),
        ("2s", 2.0),
        ("1m", 60.0),
        ("1.5s", 1.5),
        (".5s", 0.5),
        ("1.1ms", 0.0011),
        (3, 3.0),
        (0.25, 0.25),
        (-1, -1.0),
    ],
)
def test_seconds(written: Any, seconds: float) -> None:
    assert seconds_of(written) == seconds


@pytest.mark.parametrize(
    "written",
    [
        "",
        "2",
        "2 s",
        " 2s",
        "2s ",
        "-2s",
        "+2s",
        "2S",
        "2sec",
        "2h",
        "1m30s",
        "1e3s",
        "s",
        ".s",
        "2.s",
        "٢s",
        "1_0s",
        True,
        None,
        [],
        {},
        10**400,
    ],
)
def test_everything_else_is_no_duration(written: Any) -> None:
    with pytest.raises(ValueError, match="250ms, 2s or 1m"):
        seconds_of(written)


@given(st.integers(min_value=0, max_value=10**9))
def test_units_agree(milliseconds: int) -> None:
    assert seconds_of(f"{milliseconds}ms") == pytest.approx(seconds_of(milliseconds / 1000))
    assert seconds_of(f"{milliseconds}m") == seconds_of(f"{milliseconds * 60}s")


@given(st.text())
def test_no_text_makes_anything_but_a_value_error(text: str) -> None:
    try:
        assert seconds_of(text) >= 0
    except ValueError:
        pass
