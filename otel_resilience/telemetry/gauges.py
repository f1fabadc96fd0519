"""The observable instruments: what a collection reads. It reads only; no state changes because somebody looks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, TypeAlias

from opentelemetry.metrics import CallbackOptions, Meter, Observation

from otel_resilience.inventory import Inventory
from otel_resilience.policies.circuit_breaker.state import TRANSITIONS, BreakerState, Signal
from otel_resilience.telemetry import names, safely
from otel_resilience.telemetry.counts import Counts, Series
from otel_resilience.telemetry.names import Instrument, Metric

if TYPE_CHECKING:
    from otel_resilience.policies.circuit_breaker.policy import CircuitBreaker
    from otel_resilience.policies.retry_budget.policy import RetryBudget

Point: TypeAlias = tuple[Series, int | float]

#: From best to worst, for several live breakers of one name.
_BY_GRAVITY = (
    BreakerState.CLOSED,
    BreakerState.FORCED_CLOSED,
    BreakerState.HALF_OPEN,
    BreakerState.OPEN,
    BreakerState.FORCED_OPEN,
)

#: The transitions that no human makes. They are shown from 0 on: a counter that first appears as 1 has no increase.
_AUTOMATIC = tuple(
    dict.fromkeys(
        (after.value, before.value)
        for (before, signal), after in TRANSITIONS.items()
        if signal not in (Signal.FORCE_OPEN, Signal.FORCE_CLOSED, Signal.RESET)
    )
)


class Gauges:
    """The observable instruments of one meter, over counts and over the live policies.

    ``config_valid`` says in which state the policy file was found, ``None`` while there is none to speak of.
    """

    def __init__(self, meter: Meter, counts: Counts, policies: Inventory) -> None:
        self._counts = counts
        self._policies = policies
        self.config_valid: bool | None = None
        readers: Mapping[str, Callable[[], Iterable[Point]]] = {
            names.BREAKER_STATUS.name: self._breaker_status,
            names.BREAKER_TRANSITIONS.name: self._breaker_transitions,
            names.RETRY_BUDGET_AVAILABLE.name: self._budgets_available,
            names.RETRY_BUDGET_LIMIT.name: self._budget_limits,
            names.CONFIG_STATUS.name: self._config_status,
        }
        for metric in names.METRICS:
            if metric.instrument is not Instrument.HISTOGRAM:
                _observe(meter, metric, readers.get(metric.name) or self._counted(metric))

    def _counted(self, metric: Metric) -> Callable[[], Iterable[Point]]:
        return lambda: self._counts.read(metric).items()

    def _breaker_status(self) -> Iterable[Point]:
        for name, breakers in self._breakers():
            states = [breaker.state for breaker in breakers]
            worst = max(states, key=_BY_GRAVITY.index, default=None)
            for state in BreakerState:
                yield (name, state.value), int(state is worst)

    def _breaker_transitions(self) -> Iterable[Point]:
        points: dict[Series, int | float] = {
            (name, after, before): 0 for name, _ in self._breakers() for after, before in _AUTOMATIC
        }
        points.update(self._counts.read(names.BREAKER_TRANSITIONS))
        return points.items()

    def _budgets_available(self) -> Iterable[Point]:
        for name, budgets in self._budgets():
            yield (name,), sum(budget.available for budget in budgets)

    def _budget_limits(self) -> Iterable[Point]:
        for name, budgets in self._budgets():
            yield (name,), sum(budget.limit for budget in budgets)

    def _breakers(self) -> Iterable[tuple[str, list[CircuitBreaker]]]:
        known = self._policies.live("circuit_breaker")
        if known:  # and so its class is loaded: a process without policies never loads it for being looked at
            from otel_resilience.policies.circuit_breaker.policy import CircuitBreaker

            for name, live in known.items():
                yield name, [policy for policy in live if isinstance(policy, CircuitBreaker)]

    def _budgets(self) -> Iterable[tuple[str, list[RetryBudget]]]:
        known = self._policies.live("retry_budget")
        if known:
            from otel_resilience.policies.retry_budget.policy import RetryBudget

            for name, live in known.items():
                budgets = [policy for policy in live if isinstance(policy, RetryBudget)]
                if budgets:
                    yield name, budgets

    def _config_status(self) -> Iterable[Point]:
        if self.config_valid is not None:
            yield ("valid",), int(self.config_valid)
            yield ("invalid",), int(not self.config_valid)


def _observe(meter: Meter, metric: Metric, read: Callable[[], Iterable[Point]]) -> None:
    def callback(options: CallbackOptions) -> list[Observation]:
        try:
            return [Observation(value, _attributes(metric, series)) for series, value in read()]
        except Exception:
            safely.report(f"reading {metric.name}")
            return []

    create = (
        meter.create_observable_counter
        if metric.instrument is Instrument.OBSERVABLE_COUNTER
        else meter.create_observable_up_down_counter
    )
    create(metric.name, callbacks=[callback], unit=metric.unit, description=metric.description)


def _attributes(metric: Metric, series: Series) -> dict[str, str | bool]:
    return {
        attribute: value
        for attribute, value in zip(metric.attributes, series, strict=True)
        if value is not None
    }
