"""Which keys each policy has in a file, and how each is written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from otel_resilience.config.durations import seconds_of
from otel_resilience.config.shape import Map, UnfitItems, Value
from otel_resilience.errors.codes import RETRYABLE
from otel_resilience.exceptions import ConfigurationError, DomainError, is_code
from otel_resilience.outcome import Mode
from otel_resilience.policies import checks
from otel_resilience.policies.bulkhead.options import BulkheadOptions
from otel_resilience.policies.circuit_breaker.options import CircuitBreakerOptions
from otel_resilience.policies.fault.options import FaultInjectorOptions
from otel_resilience.policies.hedge.options import HedgeOptions
from otel_resilience.policies.rate_limit.options import RateLimiterOptions
from otel_resilience.policies.retry.backoff import Backoff
from otel_resilience.policies.retry.conditions import Codes
from otel_resilience.policies.retry.options import RetryOptions
from otel_resilience.policies.retry_budget.policy import RetryBudget

_LARGEST = 10**18
FORCES = ("open", "closed")
PROPAGATIONS = ("internal", "edge", "off", "all")

_CODE_FORM = "UPPER_SNAKE, at most 63 characters"


def _as_written(value: Any) -> Any:
    # The options compute with floats, and show what they refuse: neither goes with thousands of digits.
    if isinstance(value, int) and abs(value) > _LARGEST:
        raise ValueError("a number of at most 18 digits")
    return value


def _force(value: Any) -> str:
    if value not in FORCES:
        raise ValueError(f"one of {', '.join(FORCES)}")
    return str(value)


def _codes(value: Any) -> frozenset[str]:
    if not isinstance(value, list) or not value:
        raise ValueError(f"a list of error codes ({_CODE_FORM}), at least one")
    return _all_of(value, is_code, f"an error code ({_CODE_FORM})")


def _names(value: Any) -> frozenset[str]:
    if not isinstance(value, list):
        raise ValueError("a list of names of services")
    return _all_of(value, lambda name: isinstance(name, str) and name != "", "the name of a service")


def _all_of(items: list[Any], fits: Callable[[Any], bool], rule: str) -> frozenset[str]:
    unfit = [place for place, item in enumerate(items) if not fits(item)]
    if unfit:
        raise UnfitItems(rule, unfit)
    return frozenset(items)


def _mode(value: Any) -> Mode:
    if value not in [*Mode]:
        raise ValueError(f"one of {', '.join(Mode)}")
    return Mode(value)


def _propagation(value: Any) -> str:
    if value not in PROPAGATIONS:
        raise ValueError(f"one of {', '.join(PROPAGATIONS)}")
    return str(value)


def _service_name(value: Any) -> str:
    if not isinstance(value, str) or not value or not value.isprintable():
        raise ValueError("a service's name: a text that can be printed, and not empty")
    return value


#: Values that the options check themselves, and durations, which they know as seconds.
_OWN, _SECONDS = Value(_as_written), Value(seconds_of)
MODE = Value(_mode)


def _not_supported(*keys: str) -> dict[str, str]:
    return {key: f"{key} is not supported by this version" for key in keys}


def _code_alone(*keys: str) -> dict[str, str]:
    return {key: f"{key} can be said in code alone" for key in keys}


def circuit_breaker_options(*, force: str | None = None, **options: Any) -> CircuitBreakerOptions:
    """The options without ``force``, which is a deed and no option."""
    return CircuitBreakerOptions(**options)


def retry_options(*, on: frozenset[str] | None = None, **options: Any) -> RetryOptions:
    """The options; codes that are written down decide, those that are not are the default."""
    return RetryOptions(on=Codes() if on is None else Codes(on, written=True), **options)


def bulkhead_options(*, max_concurrency: int = 1, **options: Any) -> BulkheadOptions:
    """The options, or some of them to be checked: what must be there is looked for where all are merged."""
    return BulkheadOptions(max_concurrency=max_concurrency, **options)


def rate_limiter_options(*, rate: float = 1.0, **options: Any) -> RateLimiterOptions:
    """The options, or some of them to be checked: what must be there is looked for where all are merged."""
    return RateLimiterOptions(rate=rate, **options)


@dataclass(frozen=True, slots=True)
class InjectedCode:
    """Makes the error of a fault that a file names by its code."""

    code: str

    def __call__(self) -> BaseException:
        return DomainError(self.code, "a fault was injected", retryable=self.code in RETRYABLE)


def _fault_error(value: Any) -> InjectedCode:
    if not is_code(value):
        raise ValueError(f"an error code ({_CODE_FORM})")
    return InjectedCode(value)


def _idempotent(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false")
    return value


def check_entry(
    *, timeout: float | None = None, attempt_timeout: float | None = None, **_others: object
) -> None:
    """The rules of an entry's own values. Raises ``ConfigurationError``."""
    for key, value in (("timeout", timeout), ("attempt_timeout", attempt_timeout)):
        if value is not None:
            checks.positive_seconds("Entry", key, value)
    if timeout is not None and attempt_timeout is not None and attempt_timeout >= timeout:
        raise ConfigurationError(
            f"Entry attempt_timeout must be < timeout ({timeout:g}), got {attempt_timeout!r}"
        )


def check_file(**_values: object) -> None:
    """A file's own values have no rules but their own."""


CIRCUIT_BREAKER = Map(
    circuit_breaker_options,
    {
        "failure_threshold": _OWN,
        "failure_rate": _OWN,
        "window_calls": _OWN,
        "window_seconds": _SECONDS,
        "minimum_calls": _OWN,
        "slow_call_seconds": _SECONDS,
        "slow_call_rate": _OWN,
        "hang_seconds": _SECONDS,
        "recovery_timeout": _SECONDS,
        "recovery_growth": _OWN,
        "recovery_max": _SECONDS,
        "half_open_max_concurrency": _OWN,
        "half_open_successes": _OWN,
        "half_open_max_seconds": _SECONDS,
        "probe_lease_seconds": _SECONDS,
        "ramp_seconds": _SECONDS,
        "force": Value(_force),
    },
    _code_alone("failures", "failure_results"),
)

BULKHEAD = Map(
    bulkhead_options,
    {"max_concurrency": _OWN, "max_queue": _OWN, "max_wait": _SECONDS},
    required=("max_concurrency",),
)

RATE_LIMITER = Map(
    rate_limiter_options,
    {"rate": _OWN, "per": _SECONDS, "burst": _OWN, "max_wait": _SECONDS},
    required=("rate",),
)

_BUDGET = Map(RetryBudget, {"ratio": _OWN, "min_per_second": _OWN, "window_seconds": _SECONDS})

RETRY = Map(
    retry_options,
    {
        "max_attempts": _OWN,
        "backoff": Map(Backoff, {"initial": _SECONDS, "factor": _OWN, "max": _SECONDS, "jitter": _OWN}),
        "max_elapsed": _SECONDS,
        "retry_after_max": _SECONDS,
        "on": Value(_codes),
        "budget": _BUDGET,
    },
    _code_alone("results"),
)

HEDGE = Map(
    HedgeOptions,
    {
        "after": _SECONDS,
        "after_quantile": _OWN,
        "max_hedges": _OWN,
        "max_threads": _OWN,
        "budget": _BUDGET,
    },
)

FAULT = Map(
    FaultInjectorOptions,
    {"rate": _OWN, "latency": _SECONDS, "error": Value(_fault_error), "max_concurrency": _OWN},
    _code_alone("result", "when"),
)

_POLICIES: dict[str, Value | Map] = {
    "timeout": _SECONDS,
    "rate_limiter": RATE_LIMITER,
    "bulkhead": BULKHEAD,
    "retry": RETRY,
    "hedge": HEDGE,
    "circuit_breaker": CIRCUIT_BREAKER,
    "attempt_timeout": _SECONDS,
    "fault": FAULT,
}
_LATER = _not_supported("discovery") | _code_alone("fallback")
_BELONGS_TO_OPERATION = {"idempotent": "belongs to an operation: say it under operations"}
_BELONGS_TO_SERVICE = {
    key: f"{key} belongs to one service and cannot be inherited"
    for key in ("match", "endpoints", "operations")
}

#: ``defaults``: what every service may inherit.
DEFAULTS = Map(
    check_entry,
    _POLICIES | {"mode": MODE},
    _LATER | _BELONGS_TO_SERVICE | _BELONGS_TO_OPERATION,
)
#: An entry of ``services``; ``match``, ``endpoints`` and ``operations`` are read item by item by ``schema``.
SERVICE = Map(
    check_entry,
    _POLICIES | {"mode": MODE, "match": _OWN, "endpoints": _OWN, "operations": _OWN},
    _LATER | _BELONGS_TO_OPERATION,
)
#: An entry of ``operations``.
OPERATION = Map(
    check_entry,
    _POLICIES | {"idempotent": Value(_idempotent)},
    _LATER
    | {key: f"{key} belongs to a service, not to an operation" for key in ("match", "endpoints", "mode")},
)

#: Which values that peers have sent become attributes of metrics.
METRICS = Map(check_file, {"root_services": Value(_names), "root_codes": Value(_codes)})

#: The whole file; ``defaults`` and ``services`` are read entry by entry by ``schema``.
FILE = Map(
    check_file,
    {
        "mode": MODE,
        "propagation": Value(_propagation),
        "service": Value(_service_name),
        "metrics": METRICS,
        "defaults": _OWN,
        "services": _OWN,
    },
)
