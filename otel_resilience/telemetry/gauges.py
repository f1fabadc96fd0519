"""The observable instruments: what a collection reads. It reads only; no state changes because somebody looks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import reduce
from typing import TYPE_CHECKING, TypeAlias, cast

from opentelemetry.metrics import CallbackOptions, Meter, Observation

from otel_resilience.inventory import Inventory
from otel_resilience.policies.circuit_breaker.transitions import TRANSITIONS, BreakerState, Signal
from otel_resilience.telemetry import names, safely
from otel_resilience.telemetry.counts import Counts, Series
from otel_resilience.telemetry.names import Instrument, Metric
from otel_resilience.windows.tally import Tally

if TYPE_CHECKING:  # a process without policies loads none for being looked at
    from otel_resilience.policies.bulkhead.policy import Bulkhead
    from otel_resilience.policies.circuit_breaker.policy import CircuitBreaker
    from otel_resilience.policies.retry_budget.policy import RetryBudget

Point: TypeAlias = tuple[Series, int | float]

#: The kinds that the inventory knows policies by, each of one class.
_BREAKER, _BUDGET, _BULKHEAD, _REGISTRY = "circuit_breaker", "retry_budget", "bulkhead", "service_registry"

_MOST = 2**63 - 1

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
            names.BREAKER_FAILURE_RATIO.name: self._failure_ratios,
            names.BREAKER_SLOW_CALL_RATIO.name: self._slow_call_ratios,
            names.RETRY_BUDGET_AVAILABLE.name: self._budgets_available,
            names.RETRY_BUDGET_LIMIT.name: self._budget_limits,
            names.BULKHEAD_USAGE.name: lambda: self._bulkheads(lambda each: each.running),
            names.BULKHEAD_LIMIT.name: lambda: self._bulkheads(lambda each: each.options.max_concurrency),
            names.BULKHEAD_QUEUE_USAGE.name: lambda: self._bulkheads(lambda each: each.waiting),
            names.BULKHEAD_QUEUE_LIMIT.name: lambda: self._bulkheads(lambda each: each.options.max_queue),
            names.ENDPOINTS.name: self._endpoints,
            names.CONFIG_STATUS.name: self._config_status,
        }
        for metric in names.METRICS:
            if metric.instrument is not Instrument.HISTOGRAM:
                _observe(meter, metric, readers.get(metric.name) or self._counted(metric))

    def _counted(self, metric: Metric) -> Callable[[], Iterable[Point]]:
        return lambda: self._counts.read(metric).items()

    def _breaker_status(self) -> Iterable[Point]:
        for name, breakers in self._breakers():
            worst = max((each.state for each in breakers), key=_BY_GRAVITY.index, default=None)
            for state in BreakerState:
                yield (name, state.value), int(state is worst)

    def _breaker_transitions(self) -> Iterable[Point]:
        points: dict[Series, int | float] = {
            (name, after, before): 0 for name in self._policies.live(_BREAKER) for after, before in _AUTOMATIC
        }
        points.update(self._counts.read(names.BREAKER_TRANSITIONS))
        return points.items()

    def _failure_ratios(self) -> Iterable[Point]:
        for name, breakers in self._breakers():
            if breakers:
                yield (name,), _together(breakers).failure_ratio

    def _slow_call_ratios(self) -> Iterable[Point]:
        for name, breakers in self._breakers():
            judges = [each for each in breakers if each.options.slow_call_seconds is not None]
            if judges:
                yield (name,), _together(judges).slow_ratio

    def _breakers(self) -> Iterable[tuple[str, list[CircuitBreaker]]]:
        for name, live in self._policies.live(_BREAKER).items():
            yield name, cast("list[CircuitBreaker]", live)

    def _budgets_available(self) -> Iterable[Point]:
        for name, budgets in self._budgets():
            yield (name,), sum(budget.available for budget in budgets)

    def _budget_limits(self) -> Iterable[Point]:
        for name, budgets in self._budgets():
            yield (name,), sum(budget.limit for budget in budgets)

    def _budgets(self) -> Iterable[tuple[str, list[RetryBudget]]]:
        for name, live in self._policies.live(_BUDGET).items():
            if live:
                yield name, cast("list[RetryBudget]", live)

    def _bulkheads(self, measure: Callable[[Bulkhead], int]) -> Iterable[Point]:
        for name, live in self._policies.live(_BULKHEAD).items():
            if live:
                # Several of one name may each have no limit to speak of; what is no int64 breaks an export.
                yield (name,), min(sum(map(measure, cast("list[Bulkhead]", live))), _MOST)

    def _endpoints(self) -> Iterable[Point]:
        if not self._policies.live(_REGISTRY):
            return ()
        from otel_resilience.telemetry.endpoints import count_endpoints

        return count_endpoints(self._policies)

    def _config_status(self) -> Iterable[Point]:
        if self.config_valid is not None:
            yield ("valid",), int(self.config_valid)
            yield ("invalid",), int(not self.config_valid)


def _together(breakers: Iterable[CircuitBreaker]) -> Tally:
    """Breakers of one name, the keyed ones of one parent among them, as one: each weighs by its calls."""
    return reduce(Tally.plus, (each.tally() for each in breakers), Tally())


def _observe(meter: Meter, metric: Metric, read: Callable[[], Iterable[Point]]) -> None:
    def callback(options: CallbackOptions) -> list[Observation]:
        try:
            return [Observation(value, _attributes(metric, series)) for series, value in read()]
        except Exception:
            safely.report(f"reading {metric.name}")
            return []

    create = {
        Instrument.OBSERVABLE_COUNTER: meter.create_observable_counter,
        Instrument.OBSERVABLE_UP_DOWN_COUNTER: meter.create_observable_up_down_counter,
        Instrument.OBSERVABLE_GAUGE: meter.create_observable_gauge,
    }[metric.instrument]
    create(metric.name, callbacks=[callback], unit=metric.unit, description=metric.description)


def _attributes(metric: Metric, series: Series) -> dict[str, str | bool]:
    return {
        attribute: value
        for attribute, value in zip(metric.attributes, series, strict=True)
        if value is not None
    }
