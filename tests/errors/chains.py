"""Chains to test with: the golden ones, and whatever hypothesis can think of."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from hypothesis import strategies as st

from otel_resilience import ErrorChain, Hop
from otel_resilience.errors.hop import HopKind
from tests.errors.structured import bare_items

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
_GOLDEN = Path(__file__).parent.parent / "golden" / "chains.txt"


class Golden(NamedTuple):
    """A block of the golden file: what it is, what the chain means, its text on every wire."""

    name: str
    meaning: str
    text: str


def golden() -> list[Golden]:
    """All blocks of the golden file."""
    blocks = _GOLDEN.read_text(encoding="utf-8").strip().split("\n\n")[1:]
    return [Golden(*block.splitlines()) for block in blocks]


def meaning(chain: ErrorChain) -> str:
    """``chain`` as the golden file tells it."""
    return str(chain).replace(f" ← … {chain.omitted} omitted", "")


def _ids(digits: int) -> st.SearchStrategy[str]:
    return st.integers(1, 16**digits - 1).map(lambda number: f"{number:0{digits}x}")


#: Names that are not cut on the way.
names = st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Cf", "Zl", "Zp", "Zs", "Co", "Cn"]),
    min_size=1,
    max_size=16,
)
plain_names = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0x7E, exclude_characters='"\\'), min_size=1, max_size=64
)
keys = st.from_regex(r"[a-z*][a-z0-9_.*-]{1,8}", fullmatch=True)
unknown = st.dictionaries(keys, bare_items, max_size=2).map(lambda found: tuple(found.items()))
nothing: st.SearchStrategy[Any] = st.none()
codes = st.from_regex(r"[A-Z][A-Z0-9_]{0,62}", fullmatch=True)


def hops(
    names: st.SearchStrategy[str] = names,
    unknown: st.SearchStrategy[Any] = unknown,
    trace_id: st.SearchStrategy[str | None] = nothing,
) -> st.SearchStrategy[Hop]:
    """Hops as they are after a wire."""
    return st.builds(
        Hop,
        service=names,
        code=codes,
        operation=st.none() | names,
        version=st.none() | names,
        kind=st.sampled_from(HopKind),
        retryable=st.booleans(),
        exhausted=st.booleans(),
        trace_id=trace_id,
        span_id=st.none() | _ids(16),
        unknown=unknown,
    )


def chains(
    names: st.SearchStrategy[str] = names,
    unknown: st.SearchStrategy[Any] = unknown,
    most: int = 8,
) -> st.SearchStrategy[ErrorChain]:
    """Chains as they are after a wire: the trace id on the root alone."""
    return st.builds(
        lambda root, others, omitted: ErrorChain((root, *others), omitted),
        hops(names, unknown, st.none() | _ids(32)),
        st.lists(hops(names, unknown), max_size=most - 1),
        st.just(0) | st.integers(0, 10**6 - 1),
    )
