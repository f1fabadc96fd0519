"""``error-chain`` on the wire: golden texts, limits, what is refused, and whatever hypothesis can think of."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_resilience import ErrorChain, Hop
from otel_resilience.errors.codecs.error_chain import decode, encode
from otel_resilience.errors.codecs.field_error import FieldError
from otel_resilience.errors.hop import HopKind

GOLDEN = Path(__file__).parent.parent / "golden" / "chains.txt"
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def golden() -> list[tuple[str, str, str]]:
    blocks = GOLDEN.read_text(encoding="utf-8").strip().split("\n\n")[1:]
    return [tuple(block.splitlines()) for block in blocks]  # type: ignore[misc]  # a wrong block fails to unpack


@pytest.mark.parametrize(("name", "meaning", "text"), golden(), ids=lambda value: value[:30])
def test_golden_chains_mean_the_same_after_the_wire(name: str, meaning: str, text: str) -> None:
    chain = decode(text)
    assert str(chain).replace(" ← … 3 omitted", "") == meaning
    assert encode(chain) == text
    assert decode(encode(chain)) == chain


def test_every_member_of_a_hop_arrives() -> None:
    chain = decode(f'"s";c=C;t="{TRACE}";s="{SPAN}";r;e;o="POST /x";v="1";k=rejected;n=2;new=7')
    assert chain.root == Hop(
        service="s",
        code="C",
        trace_id=TRACE,
        span_id=SPAN,
        retryable=True,
        exhausted=True,
        operation="POST /x",
        version="1",
        kind=HopKind.REJECTED,
        unknown=(("new", 7),),
    )
    assert (chain.omitted, chain.exhausted, chain.trace_id, chain.root.timestamp) == (2, True, TRACE, None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        '"s"',
        "s;c=C",
        '"s";c="C"',
        '"s";c=lower',
        '"";c=C',
        '"s";c=C,',
        '"s";c=C;t="' + "0" * 32 + '"',
        '"s";c=C;t="' + "A" * 32 + '"',
        '"s";c=C;s="short"',
        '"s";c=C;s=7',
        '"s";c=C;r=1',
        '"s";c=C;k=odd',
        '"s";c=C;k="rejected"',
        '"s";c=C;n=-1',
        f'"s";c=C, "p";c=C;t="{TRACE}"',
        '"s";c=C, "p";c=C;n=1',
        '"s";c=C;n=9999999999',
        '"s";c=C;o=token',
        '("s";c=C)',
        '"s\n";c=C',
        '%"a%0ab";c=C',
        '"s";c=C' + "X" * 63,
        ", ".join(['"s";c=C'] * 9),
        "\ud800",
        "é",
    ],
)
def test_what_is_no_chain_is_malformed(text: str) -> None:
    with pytest.raises(FieldError) as caught:
        decode(text)
    assert caught.value.reason == "malformed"


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
    ],
)
def test_a_hop_put_together_by_hand_is_written_so_that_a_peer_reads_it(hop: Hop, service: str) -> None:
    root = decode(encode(ErrorChain.of(hop))).root
    assert (root.service, root.code, root.trace_id) == (service, "C", None)


def test_one_hop_twice_names_its_trace_once() -> None:
    hop = Hop(service="s", code="C", trace_id=TRACE)
    assert decode(encode(ErrorChain((hop, hop)))).hops[1].trace_id is None


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


ids = st.integers(1, 2**64 - 1).map(lambda number: f"{number:016x}")
names = st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Cf", "Zl", "Zp", "Zs", "Co", "Cn"]),
    min_size=1,
    max_size=20,
)
values = (
    st.integers(-(10**15) + 1, 10**15 - 1) | st.booleans() | st.binary(max_size=20) | st.text('abc "\\;,')
)
keys = st.from_regex(r"[a-z*][a-z0-9_.*-]{1,8}", fullmatch=True)
hops = st.builds(
    Hop,
    service=names,
    code=st.from_regex(r"[A-Z][A-Z0-9_]{0,20}", fullmatch=True),
    operation=st.none() | names,
    version=st.none() | names,
    kind=st.sampled_from(HopKind),
    retryable=st.booleans(),
    exhausted=st.booleans(),
    span_id=st.none() | ids,
    unknown=st.dictionaries(keys, values, max_size=2).map(lambda d: tuple(d.items())),
)


@given(st.lists(hops, min_size=1, max_size=3), st.integers(0, 1000))
def test_what_is_written_is_read_back_whole(chain_hops: list[Hop], omitted: int) -> None:
    chain = ErrorChain(tuple(chain_hops), omitted)
    text = encode(chain)
    assert len(text.encode("ascii")) <= 2048
    if len(text) <= 1024:
        assert decode(text) == chain


@given(st.text())
def test_any_text_is_a_chain_or_a_field_error(text: str) -> None:
    try:
        decode(text)
    except FieldError:
        pass


@settings(deadline=None)
@given(st.integers(0, 2**32))
def test_hostile_changes_to_a_real_chain_never_raise_anything_else(seed: int) -> None:
    _mangle(random.Random(seed), 20)


def test_a_long_hostile_run() -> None:
    """20 000 mangled chains; ``HOSTILE_INPUTS=1000000`` for the long run."""
    _mangle(random.Random(7), int(os.environ.get("HOSTILE_INPUTS", "20000")))


def _mangle(chance: random.Random, count: int) -> None:
    seeds = [text for _, _, text in golden()]
    signs = '"\\;,=:?@%()*ab01-. \t\x00\x7féA/' + "\ud800"
    for _ in range(count):
        text = list(chance.choice(seeds))
        for _ in range(chance.randint(1, 6)):
            at = chance.randrange(len(text) + 1)
            match chance.randrange(4):
                case 0:
                    text.insert(at, chance.choice(signs))
                case 1:
                    del text[at : at + chance.randint(1, 5)]
                case 2:
                    text[at:at] = text[: chance.randint(0, 60)]
                case _:
                    text[at:at] = [chance.choice(signs)] * chance.randint(1, 3000)
            text = text or ["x"]
        try:
            assert len(encode(decode("".join(text)))) <= 2048
        except FieldError:
            pass
