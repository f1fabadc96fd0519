"""One entry with all that it inherits: merged, and searched for contradictions, each said where it was written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from otel_resilience.config.faults import Path
from otel_resilience.config.merge import merged
from otel_resilience.config.policy_shapes import (
    bulkhead_options,
    circuit_breaker_options,
    rate_limiter_options,
    retry_options,
)
from otel_resilience.config.shape import Complaint, Map, Reader, Tree, contradictions
from otel_resilience.config.specs import CircuitBreakerSpec, HedgeSpec, PoliciesSpec, RetrySpec
from otel_resilience.policies.fault.options import FaultInjectorOptions
from otel_resilience.policies.hedge.options import HedgeOptions
from otel_resilience.policies.retry.backoff import Backoff


@dataclass(frozen=True, slots=True)
class Level:
    """What one place of the file says: ``defaults``, a service, an operation."""

    path: Path
    tree: Tree

    def says(self, path: Path) -> bool:
        """Whether something, be it a removal, is written at ``path``."""
        tree: Any = self.tree
        for part in path:
            if not isinstance(tree, dict) or part not in tree:
                return False
            tree = tree[part]
        return True


class Inheritance:
    """Places of the file in the order of inheritance, the most specific last."""

    def __init__(self, reader: Reader, *levels: Level) -> None:
        self._reader = reader
        self._levels = levels
        self.tree: Tree = {}
        for level in levels:
            self.tree = merged(self.tree, level.tree)

    def policies(self, shape: Map) -> PoliciesSpec:
        """The policies of the most specific place.

        Contradictions go to the reader, and leave out what they are about.
        """
        right = self._checked(shape, self.tree, ())
        self._check_hedge(right)
        return _policies(right)

    def _check_hedge(self, tree: Tree) -> None:
        """Rules that are about maps, and not about values: a hedge begins some time, and attempts must not multiply."""
        hedge = tree.get("hedge")
        if hedge is None:
            return
        if len(self._levels) > 1 and not hedge.keys() & {"after", "after_quantile"}:
            place = max(self._place(("hedge", key)) for key in ("after", "after_quantile"))
            here = (*self._levels[max(place, self._place(("hedge",)))].path, "hedge")
            if not any(
                self._reader.has_refused((*level.path, "hedge", key))
                for level in self._levels
                for key in ("after", "after_quantile")
            ):
                self._reader.refuse(here, "after or after_quantile must be given")
            del tree["hedge"]
        elif tree.get("retry") is not None:
            key = max(("retry", "hedge"), key=lambda each: self._place((each,)))
            other = "hedge" if key == "retry" else "retry"
            self._reader.refuse(
                (*self._levels[self._place((key,))].path, key),
                f"{key} must not be together with {other}, their attempts would multiply: remove one with {other}: null",
            )
            del tree["hedge"]

    def _checked(self, shape: Map, tree: Tree, path: Path) -> Tree:
        right = dict(tree)
        for complaint in contradictions(shape, tree):
            if self._contradicts(complaint, path):
                for key in complaint.keys:
                    right.pop(key, None)
        for key, inner in shape.keys.items():
            if isinstance(inner, Map) and key in right:
                right[key] = self._checked(inner, right[key], (*path, key))
                if self._lacks(inner, right[key], (*path, key)):
                    del right[key]
        return right

    def _lacks(self, shape: Map, tree: Tree, path: Path) -> bool:
        """Whether something that must be there is not; it is said at the most specific place that could have said it."""
        if len(self._levels) == 1:
            return False  # ``defaults`` alone: whoever inherits them may say the rest
        missing = [key for key in shape.required if key not in tree]
        for key in missing:
            written = [(*level.path, *path, key) for level in self._levels]
            if not any(map(self._reader.has_refused, written)):
                place = max(self._place((*path, key)), self._place(path))
                self._reader.refuse((*self._levels[place].path, *path), f"{key} must be given")
        return bool(missing)

    def _contradicts(self, complaint: Complaint, path: Path) -> bool:
        """Whether ``complaint`` is a fault; if so it is said where the most specific part of it is written."""
        places = {key: self._place((*path, key)) for key in complaint.keys}
        if complaint.keys == ("attempt_timeout", "timeout") and places["timeout"] > places["attempt_timeout"]:
            return False  # a narrower total does not contradict what was inherited: it simply ends first
        key = max(places, key=places.__getitem__)
        self._reader.refuse((*self._levels[places[key]].path, *path, key), complaint.text)
        return True

    def _place(self, path: Path) -> int:
        """The most specific level that says something at ``path``; -1 where none does."""
        return max((place for place, level in enumerate(self._levels) if level.says(path)), default=-1)


def _policies(tree: Tree) -> PoliciesSpec:
    retry, breaker = tree.get("retry"), tree.get("circuit_breaker")
    hedge, fault = tree.get("hedge"), tree.get("fault")
    bulkhead, limiter = tree.get("bulkhead"), tree.get("rate_limiter")
    timeout, attempt_timeout = tree.get("timeout"), tree.get("attempt_timeout")
    if timeout is not None and attempt_timeout is not None and attempt_timeout >= timeout:
        attempt_timeout = None  # inherited by a narrower total, which always ends first
    return PoliciesSpec(
        timeout=timeout,
        rate_limiter=None if limiter is None else rate_limiter_options(**limiter),
        bulkhead=None if bulkhead is None else bulkhead_options(**bulkhead),
        retry=None if retry is None else _retry(retry),
        hedge=None if hedge is None else _hedge(hedge),
        circuit_breaker=None if breaker is None else _breaker(breaker),
        attempt_timeout=attempt_timeout,
        fault=None if fault is None else FaultInjectorOptions(**fault),
    )


def _hedge(tree: Tree) -> HedgeSpec:
    plain = {key: value for key, value in tree.items() if key != "budget"}
    return HedgeSpec(options=HedgeOptions(**plain), budget=tree.get("budget"))


def _retry(tree: Tree) -> RetrySpec:
    plain = {key: value for key, value in tree.items() if key not in ("backoff", "budget")}
    return RetrySpec(
        options=retry_options(backoff=Backoff(**tree.get("backoff", {})), **plain), budget=tree.get("budget")
    )


def _breaker(tree: Tree) -> CircuitBreakerSpec:
    return CircuitBreakerSpec(options=circuit_breaker_options(**tree), force=tree.get("force"))
