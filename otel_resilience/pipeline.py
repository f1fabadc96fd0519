"""Composition: policies around one another, folded once, outermost first."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from functools import reduce

from otel_resilience.context import deadline
from otel_resilience.errors.limits import LONGEST_DEADLINE
from otel_resilience.errors.reading import PLAIN
from otel_resilience.flow.call import Call
from otel_resilience.flow.effects import Flow, Proceed
from otel_resilience.flow.guard import Guard
from otel_resilience.outcome import Mode
from otel_resilience.policies import checks
from otel_resilience.policies.fallback.policy import Fallback
from otel_resilience.policies.order import misplaced
from otel_resilience.policies.timeout.policy import Timeout

_log = logging.getLogger("otel_resilience")

_Compose = Callable[[Call, Proceed], Flow]


class Pipeline(Guard):
    """``Pipeline("payments", Timeout(2.0), Retry(on=IOError), CircuitBreaker())``: one guard made of several.

    ``trace``: one INTERNAL span ``execute {name}`` and one point of ``resilience.execution.duration`` per
    logical call, for calls that leave the process. ``mode``: ``enforce``, ``shadow`` (decides, counts and
    announces, never blocks, delays or retries), ``off``. A nameless policy takes the pipeline's name. An
    order that is known to be wrong is warned of, in the log and in ``warnings``. A pipeline may be one of the
    policies, if it has neither ``trace`` nor a ``mode`` of its own. Raises ``ConfigurationError`` for a wrong
    option; nothing is half-built.
    """

    def __init__(self, name: str, *policies: Guard, trace: bool = False, mode: str = "enforce") -> None:
        if not isinstance(name, str) or not name:
            raise checks.fault("Pipeline", "name", name, "a text that is not empty")
        for policy in policies:
            if not isinstance(policy, Guard):
                raise checks.fault(f"Pipeline {name!r}", "policies", policy, "policies")
            if isinstance(policy, Pipeline) and (policy._traced or policy.mode is not Mode.ENFORCE):
                rule = (
                    "policies, or pipelines without trace and mode: a call has one of each, the outermost's"
                )
                raise checks.fault(f"Pipeline {name!r}", "policies", policy, rule)
        if not isinstance(trace, bool):
            raise checks.fault(f"Pipeline {name!r}", "trace", trace, "true or false")
        try:
            self._mode = Mode(mode)
        except ValueError:
            rule = f"one of {', '.join(Mode)}"
            raise checks.fault(f"Pipeline {name!r}", "mode", mode, rule) from None
        self._name = name
        self._traced = trace
        self._policies = policies
        for policy in policies:
            policy.bind(name)
        self._warnings = misplaced(tuple(_flat(policies)))
        for warning in self._warnings:
            _log.warning("pipeline %r: %s", name, warning)
        self._fold = _folded(policies)
        self._fold_inside = _folded(_with_inherited(policies))

    @property
    def policies(self) -> tuple[Guard, ...]:
        """What this pipeline is made of, outermost first."""
        return self._policies

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is known to be wrong with the order of the policies; empty where nothing is."""
        return self._warnings

    @property
    def mode(self) -> Mode:
        return self._mode

    @property
    def guards_blocks(self) -> bool:  # type: ignore[override]  # a pipeline can what all its policies can
        return all(policy.guards_blocks for policy in self._policies)

    def describe(self) -> str:
        """The pipeline as text, one policy a line, outermost first: for people and for assertions."""
        head = f"{self._name} ({self._mode}{', traced' if self._traced else ''})"
        lines = [head, *(f"  {policy!r}" for policy in self._policies)]
        return "\n".join([*lines, *(f"  warning: {warning}" for warning in self._warnings)])

    def flow(self, call: Call, proceed: Proceed) -> Flow:
        if call.dialect is PLAIN or not call.enforced or deadline.expires_at() is None:
            return self._fold(call, proceed)
        return self._fold_inside(call, proceed)

    def __repr__(self) -> str:
        said = [repr(self._name), *map(repr, self._policies)]
        if self._traced:
            said.append("trace=True")
        if self._mode is not Mode.ENFORCE:
            said.append(f"mode={self._mode.value!r}")
        return f"Pipeline({', '.join(said)})"


def _flat(policies: Iterable[Guard]) -> Iterator[Guard]:
    for policy in policies:
        yield from _flat(policy.policies) if isinstance(policy, Pipeline) else (policy,)


#: For a client's call without a timeout of its own, made under a deadline: that one holds. As long as any is.
_INHERITED = Timeout(LONGEST_DEADLINE / 1000)


def _with_inherited(policies: tuple[Guard, ...]) -> tuple[Guard, ...]:
    """``policies`` with the inherited deadline where a timeout of the whole call is, or would be: inside of fallbacks."""
    at = next((at for at, each in enumerate(policies) if not isinstance(each, Fallback)), len(policies))
    if at < len(policies) and isinstance(policies[at], Timeout):
        return policies
    return (*policies[:at], _INHERITED, *policies[at:])


def _folded(policies: tuple[Guard, ...]) -> _Compose:
    innermost: _Compose = _innermost
    return reduce(_around, reversed(policies), innermost)


def _innermost(call: Call, proceed: Proceed) -> Flow:
    return proceed(call)


def _around(inner: _Compose, policy: Guard) -> _Compose:
    def compose(call: Call, proceed: Proceed) -> Flow:
        def onwards(other: Call | None = None) -> Flow:
            return inner(other or call, proceed)

        return policy.flow(call, onwards)

    return compose
