"""Roots that peers have named become attributes of ``resilience.errors`` within bounds only."""

from __future__ import annotations

from otel_resilience import ErrorChain, Hop
from otel_resilience.telemetry import names
from otel_resilience.telemetry.counts import Counts
from otel_resilience.telemetry.error_roots import ErrorRoots


def counted(roots: ErrorRoots, counts: Counts, *hops: tuple[str, str]) -> set[tuple[object, ...]]:
    for service, code in hops:
        roots.count(ErrorChain.of(Hop(service=service, code=code)), "502")
    return set(counts.read(names.ERRORS))


def test_all_are_named_where_none_are_listed() -> None:
    counts = Counts()
    assert counted(ErrorRoots(counts), counts, ("ledger", "GONE")) == {("ledger", "GONE", "502")}


def test_a_list_is_a_bound() -> None:
    counts = Counts()
    roots = ErrorRoots(counts)
    roots.allow({"ledger"}, {"GONE"})
    assert counted(roots, counts, ("ledger", "GONE"), ("ledger", "ODD"), ("evil", "GONE")) == {
        ("ledger", "GONE", "502"),
        ("ledger", "_OTHER", "502"),
        ("_OTHER", "GONE", "502"),
    }
    roots.allow()
    assert ("evil", "ODD", "502") in counted(roots, counts, ("evil", "ODD"))
