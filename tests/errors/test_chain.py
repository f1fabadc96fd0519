"""Hops and chains as values: what is refused at birth, and how a chain grows."""

from __future__ import annotations

import pytest

from otel_resilience import ErrorChain, Hop
from otel_resilience.errors.codecs.error_chain import decode, encode
from tests.errors.chains import SPAN, TRACE


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("trace_id", "0" * 32),
        ("trace_id", TRACE.upper()),
        ("trace_id", "é"),
        ("span_id", "xyz"),
        ("span_id", SPAN + "\n"),
    ],
)
def test_an_id_that_no_peer_would_read_is_refused_at_birth(field: str, value: str) -> None:
    with pytest.raises(ValueError, match=f"Hop {field} must be"):
        Hop(service="s", code="C", **{field: value})  # type: ignore[arg-type]  # one of two fields of text


def test_a_count_below_zero_is_refused_at_birth() -> None:
    with pytest.raises(ValueError, match="ErrorChain omitted must be at least 0, got -1"):
        ErrorChain((Hop(service="s", code="C"),), -1)


def test_a_chain_keeps_the_root_and_the_last_seven() -> None:
    chain = ErrorChain.of(Hop(service="0", code="C", span_id=f"{1:016x}"))
    for number in range(1, 12):
        chain = chain.extended(Hop(service=str(number), code="C", span_id=f"{number + 1:016x}"))
    assert chain.services_involved == ("0", "5", "6", "7", "8", "9", "10", "11")
    assert (chain.chain_length, chain.omitted) == (8, 4)
    assert decode(encode(chain)).omitted == 4


def test_the_same_service_and_span_is_one_hop() -> None:
    hop = Hop(service="a", code="C", span_id=SPAN)
    chain = ErrorChain.of(hop)
    assert chain.extended(hop) is chain
    assert chain.extended(Hop(service="a", code="C", span_id="1" * 16)).chain_length == 2
    assert chain.extended(Hop(service="a", code="C")).extended(Hop(service="a", code="C")).chain_length == 3
