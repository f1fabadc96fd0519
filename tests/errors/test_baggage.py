"""The correlation id in baggage, as OpenTelemetry's own propagator writes it, and as others may."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import baggage
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context

from otel_resilience.errors.codecs.baggage import KEY, correlation_id

_ids = st.from_regex(r"[A-Za-z0-9._-]{1,128}", fullmatch=True)
_entries = st.dictionaries(
    st.from_regex(r"[a-z.]{1,10}", fullmatch=True), st.text("aZ09 ,;=%ü+\\", max_size=12), max_size=5
)


@given(_entries, _ids, st.booleans())
def test_what_opentelemetry_writes_is_read(entries: dict[str, str], carried: str, is_first: bool) -> None:
    entries.pop(KEY, None)
    context = Context()
    for key, value in ({KEY: carried} | entries if is_first else entries | {KEY: carried}).items():
        context = baggage.set_baggage(key, value, context)
    carrier: dict[str, str] = {}
    W3CBaggagePropagator().inject(carrier, context)
    assert correlation_id(carrier["baggage"]) == carried


@pytest.mark.parametrize(
    ("text", "carried"),
    [
        ("correlation.id=a", "a"),
        (" correlation.id\t= a ;p=1;q ,other=x", "a"),
        ("correlation.id=%61%2D1", "a-1"),
        ("correlation.id=a,correlation.id=b", "b"),
        ("correlation.id=a,correlation.id=not valid", "a"),
        ("correlation.id=a,,", "a"),
        ("correlation.id=a b", None),
        ("correlation.id=a+b", None),
        ("correlation.id=%0a", None),
        ("correlation.id=", None),
        ("correlation.id", None),
        ("correlation.id=a=b", None),
        ("x=1;correlation.id=a", None),
        ("Correlation.Id=a", None),
        ("my.correlation.id=a", None),
        ("correlation.id=" + "x" * 128, "x" * 128),
        ("correlation.id=" + "x" * 129, None),
        ("correlation.id=\ud800", None),
        ("", None),
        ("correlation.id=a" + "," * (8192 - 16), "a"),
        ("correlation.id=a" + "," * (8193 - 16), None),
    ],
)
def test_which_id_is_in_it(text: str, carried: str | None) -> None:
    assert correlation_id(text) == carried
