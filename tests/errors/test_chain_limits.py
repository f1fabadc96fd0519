"""How much of a chain goes on the wire, and what of it is left out first."""

from __future__ import annotations

from enum import Enum

import pytest

from otel_resilience import ErrorChain, Hop
from otel_resilience.errors.codecs.error_chain import decode, encode
from otel_resilience.errors.codecs.field_error import FieldError
from otel_resilience.errors.codecs.structured_text import text
from otel_resilience.errors.codecs.written_names import WrittenNames
from otel_resilience.errors.hop import HopKind
from otel_resilience.errors.limits import cut_name
from tests.errors.chains import SPAN, TRACE


class _Codes(str, Enum):  # noqa: UP042 — not a StrEnum: that is what is tested
    """An application's codes, as many write them: ``str()`` of a member is not its value."""

    MINE = "C"


def test_the_size_is_checked_before_anything_looks_inside() -> None:
    text = '"s";c=C;x="' + "y" * 2036 + '"'
    assert len(text) == 2048
    decode(text)
    with pytest.raises(FieldError) as caught:
        decode(text + " ")
    assert caught.value.reason == "oversized"


def full(length: int = 24, **more: str) -> ErrorChain:
    hops = [
        Hop(
            service="s" * (length - 1) + str(number),
            code="C" * length,
            trace_id=TRACE,
            span_id=f"{number + 1:016x}",
            retryable=True,
            exhausted=True,
            kind=HopKind.REJECTED,
            **more,  # type: ignore[arg-type]  # operation and version, as the tests say
        )
        for number in range(8)
    ]
    return ErrorChain(tuple(hops))


def test_eight_hops_with_names_and_codes_of_24_fit_into_a_kibibyte() -> None:
    assert len(encode(full())) <= 1024
    assert len(encode(full(operation="POST /charge", version="1.4.2"))) <= 1024


def test_operations_go_before_versions_and_both_only_above_a_kibibyte() -> None:
    short = ErrorChain(full(operation="POST /x", version="1").hops[:2])
    assert "o=" in encode(short)
    assert "v=" in encode(short)
    longer = encode(full(operation="GET /" + "x" * 40, version="1"))
    assert "o=" not in longer
    assert "v=" in longer


def test_above_two_kibibytes_unknown_parameters_go_first_then_hops_after_the_root() -> None:
    unknown = tuple((f"k{number}", "x" * 40) for number in range(10))
    heavy = ErrorChain(tuple(Hop(service=f"s{number}", code="C", unknown=unknown) for number in range(8)))
    text = encode(heavy)
    assert len(text) <= 2048
    assert "k0" not in text
    assert decode(text).chain_length == 8
    wide = ErrorChain(
        tuple(Hop(service="é" * 31 + str(number), code="C" * 63, span_id=SPAN) for number in range(8))
    )
    received = decode(encode(wide))
    assert received.root.service == wide.root.service
    assert received.hops[-1].service == wide.hops[-1].service
    assert received.omitted == 8 - received.chain_length > 0


def test_names_are_cut_at_64_bytes_between_characters() -> None:
    received = decode(encode(ErrorChain.of(Hop(service="é" * 40, code="C"))))
    assert received.root.service == "é" * 32
    assert decode(encode(ErrorChain.of(Hop(service="x" * 65, code="C")))).root.service == "x" * 64


def test_operation_and_version_of_a_peer_are_cut_too() -> None:
    root = decode('"s";c=C;o="' + "x" * 500 + '";v="' + "y" * 65 + '"').root
    assert (root.operation, root.version) == ("x" * 64, "y" * 64)


@pytest.mark.parametrize("omitted", [0, 1, 10**6, 10**6 + 1, 10**15])
def test_any_count_of_omitted_hops_is_read_back_bounded(omitted: int) -> None:
    chain = ErrorChain((Hop(service="s", code="C"),), omitted)
    assert decode(encode(chain)).omitted == min(omitted, 10**6)


@pytest.mark.parametrize(
    ("hop", "service"),
    [
        (Hop(service="", code="C"), "unknown_service"),
        (Hop(service="a\ud800b", code="C"), "a\ufffdb"),
        (Hop(service="a\nb", code="C"), "a\ufffdb"),
        (Hop(service="s", code="C", unknown=(("c", "D"), ("t", 1), ("new", 1))), "s"),
        (Hop(service="s", code="C", unknown=(("Bad key", 1),)), "s"),
        (Hop(service="s", code="C", unknown=(("new", 1.5),)), "s"),  # type: ignore[arg-type]  # a Decimal it is
        (Hop(service="s", code=_Codes.MINE), "s"),
        (Hop(service=_Codes.MINE, code="C"), "C"),
    ],
)
def test_a_hop_put_together_by_hand_is_written_so_that_a_peer_reads_it(hop: Hop, service: str) -> None:
    root = decode(encode(ErrorChain.of(hop))).root
    assert (root.service, root.code, root.trace_id) == (service, "C", None)


def test_what_is_true_without_being_a_boolean_is_written_as_one() -> None:
    hop = Hop(service="s", code="C", retryable=1, exhausted="yes")  # type: ignore[arg-type]  # as untyped code may say it
    assert encode(ErrorChain.of(hop)) == '"s";c=C;r;e'


def test_one_hop_twice_names_its_trace_once() -> None:
    hop = Hop(service="s", code="C", trace_id=TRACE)
    assert decode(encode(ErrorChain((hop, hop)))).hops[1].trace_id is None


def test_names_are_remembered_up_to_a_bound_and_written_the_same() -> None:
    names = WrittenNames()
    peers = [f"service-{number}" for number in range(10_000)]
    for name in [*peers, "ü" * 64, "x" * 100_000]:
        assert names[name] == names[name] == text(cut_name(name))
        assert len(names) <= 256
    assert max(map(len, names)) <= 64
