"""Orders of policies that are known to be wrong: each as a sentence that says why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

#: What must not be inside what, and what comes of it: outer kind, inner kind, sentence.
_WRONG = (
    ("circuit_breaker", "retry", "the breaker learns of a call once, however often its attempts failed"),
    ("circuit_breaker", "hedge", "the breaker learns of a call once, however many attempts were made"),
    ("circuit_breaker", "fallback", "the breaker never learns of a failure that the fallback stands in for"),
    ("retry", "fallback", "what the fallback stands in for is never retried"),
    ("retry", "retry", "attempts multiply, so only the inner one will retry what it has given up on"),
    ("retry", "hedge", "attempts multiply"),
    ("hedge", "retry", "attempts multiply"),
    ("hedge", "hedge", "attempts multiply"),
    ("timeout", "fallback", "the fallback does not stand in when the timeout ends the call"),
    ("fault", "circuit_breaker", "the breaker never learns of the faults"),
    ("fault", "retry", "the faults are never retried"),
    ("fault", "timeout", "the timeout does not bound an injected latency"),
)


def misplaced(policies: Sequence[object]) -> tuple[str, ...]:
    """What is wrong with the order of ``policies``, outermost first; each kind of mistake once."""
    return tuple(dict.fromkeys([*_wrong_pairs(policies), *_idle_timeouts(policies)]))


def _wrong_pairs(policies: Sequence[object]) -> Iterator[str]:
    kinds = [getattr(policy, "policy_type", "") for policy in policies]
    for place, outer in enumerate(kinds):
        for inner in kinds[place + 1 :]:
            for wrong_outer, wrong_inner, consequence in _WRONG:
                if (outer, inner) == (wrong_outer, wrong_inner):
                    yield f"{outer} is around {inner}: {consequence}"


def _idle_timeouts(policies: Sequence[object]) -> Iterator[str]:
    shortest: float | None = None
    for policy in policies:
        if getattr(policy, "policy_type", "") != "timeout":
            continue
        seconds: float = getattr(policy, "seconds", 0.0)
        if shortest is not None and seconds >= shortest:
            yield f"a timeout of {seconds:g} s is inside one of {shortest:g} s, which always ends first"
        shortest = seconds if shortest is None else min(shortest, seconds)
