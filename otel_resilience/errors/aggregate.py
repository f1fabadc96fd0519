"""Several failures, one story: which of them is the causal root, and how many others it stands for.

The rule. Calls that ran side by side belong together; a failure after which another call was begun was recovered
from, and is not part of the story. Of those that belong together the earliest is the cause, as it is what the
others were given up for, or what made them fail too; a refusal by a policy of our own is the cause only where
nothing else failed, since it follows from failures and never begins them. The others are counted as hops omitted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from otel_resilience.errors.chain import ErrorChain
from otel_resilience.errors.failed_call import FailedCall
from otel_resilience.errors.hop import HopKind

#: Decided by a policy of ours around the call, which is a story of its own.
_DECIDED = frozenset({HopKind.REJECTED, HopKind.TIMEOUT})


def causal(failures: Sequence[FailedCall]) -> FailedCall | None:
    """The one that tells the story of ``failures``, which are in the order in which they ended; ``None`` for none."""
    beside = _side_by_side(failures)
    if not beside:
        return None
    # The first of the lowest, which is the earliest.
    story = min(beside, key=lambda failed: failed.kind.is_consequence)
    others = [each for each in beside if each is not story and not _same_root(each, story)]
    return _standing_for(story, others)


def told_by(own: FailedCall, inside: Sequence[FailedCall]) -> FailedCall:
    """What ``own``, a call that failed, tells of itself and of the calls that failed ``inside`` of it.

    A failure that our policies did not decide and that brings no chain of its own began with the calls inside.
    """
    within = causal(inside)
    if within is None:
        return own
    if own.received is None and own.kind not in _DECIDED:
        return replace(
            within,
            # What began with us keeps the code of what failed; a story of others' only comes through here.
            code=within.code if within.received is None else own.code,
            exhausted=own.exhausted or within.exhausted,
            retry_after=within.retry_after if own.retry_after is None else own.retry_after,
            began=own.began,
            ended=own.ended,
        )
    return _standing_for(own, [each for each in _side_by_side(inside) if not _met_again(each, own)])


def carried_by(chain: ErrorChain, failures: Sequence[FailedCall]) -> ErrorChain:
    """``chain``, which the error that ended a request carries, with the failures beside it counted."""
    beside = _side_by_side(failures)
    received = [each.received for each in beside if each.received is not None]
    same = next((each for each in received if each.root == chain.root), None)
    others = [each for each in beside if each.received is None or each.received.root != chain.root]
    # The chain of an exception group has counted the other members already.
    counted = 0 if same is None else max(0, chain.omitted - same.omitted)
    return chain.leaving_out(max(0, _hops(others) - counted))


def _side_by_side(failures: Sequence[FailedCall]) -> list[FailedCall]:
    """The last one, and those whose time overlaps with its own or with that of one which does, first ended first."""
    found: list[FailedCall] = []
    since = 0.0
    for failed in reversed(failures):
        if found and failed.ended <= since:
            break
        since = min(since, failed.began) if found else failed.began
        found.append(failed)
    return found[::-1]


def _standing_for(story: FailedCall, others: Sequence[FailedCall]) -> FailedCall:
    return replace(story, others=story.others + _hops(others)) if others else story


def _hops(failures: Sequence[FailedCall]) -> int:
    return sum(failed.hops + failed.others for failed in failures)


def _same_root(one: FailedCall, other: FailedCall) -> bool:
    return (
        one.received is not None and other.received is not None and one.received.root == other.received.root
    )


def _met_again(inner: FailedCall, own: FailedCall) -> bool:
    """Whether ``inner`` is the very failure that the guard around it has met as ``own``."""
    if own.received is None:
        return inner.received is None and inner.kind is own.kind
    return _same_root(inner, own)
