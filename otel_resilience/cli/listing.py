"""What a policy file guards, for people and for machines."""

from __future__ import annotations

import dataclasses
from typing import Any

from otel_resilience.config.policy_shapes import InjectedCode
from otel_resilience.config.specs import (
    CATCH_ALL,
    FileSpec,
    HedgeSpec,
    OperationSpec,
    PoliciesSpec,
    RetrySpec,
    ServiceSpec,
)
from otel_resilience.policies.bulkhead.options import BulkheadOptions
from otel_resilience.policies.circuit_breaker.options import CircuitBreakerOptions
from otel_resilience.policies.fault.options import FaultInjectorOptions
from otel_resilience.policies.hedge.options import HedgeOptions
from otel_resilience.policies.rate_limit.options import RateLimiterOptions
from otel_resilience.policies.retry.conditions import Codes
from otel_resilience.policies.retry.options import RetryOptions

#: What code alone can say has no place in a listing of a file.
_NOT_OF_FILES = ("failures", "failure_results", "results", "budget", "result", "when")
#: Options that are shown even where they are the default: without them a reader does not know the policy.
_ALWAYS = {
    "rate_limiter": ("rate", "per"),
    "bulkhead": ("max_concurrency",),
    "retry": ("max_attempts",),
    "hedge": ("after", "after_quantile"),
    "circuit_breaker": ("failure_threshold", "recovery_timeout"),
    "fault": ("rate",),
}
_SECONDS = {
    "after",
    "half_open_max_seconds",
    "hang_seconds",
    "initial",
    "latency",
    "max",
    "max_elapsed",
    "max_wait",
    "per",
    "probe_lease_seconds",
    "recovery_max",
    "ramp_seconds",
    "recovery_timeout",
    "retry_after_max",
    "slow_call_seconds",
    "window_seconds",
}
#: Options as they are where nothing is said; what must be said is shown always.
_USUAL = {
    "rate_limiter": RateLimiterOptions(rate=1.0),
    "bulkhead": BulkheadOptions(max_concurrency=1),
    "retry": RetryOptions(on=Codes()),
    "hedge": HedgeOptions(),
    "circuit_breaker": CircuitBreakerOptions(),
    "fault": FaultInjectorOptions(),
}


def as_data(spec: FileSpec) -> dict[str, Any]:
    """The whole file as JSON has it: every option in force, in seconds."""
    return {
        "mode": str(spec.mode),
        "propagation": spec.propagation,
        "service": spec.service,
        "services": [_service(spec, each) for each in spec.services.values()],
    }


def policy_texts(spec: PoliciesSpec) -> list[str]:
    """The policies, outermost first, each with what differs from its defaults."""
    return [_text(each) for each in _policies(spec)]


def operation_text(spec: OperationSpec) -> str:
    """The operation, and what is said of sending it twice."""
    said = {True: " (idempotent)", False: " (not idempotent)", None: ""}[spec.idempotent]
    return f"{spec.key.text}{said}"


def match_texts(spec: ServiceSpec) -> list[str]:
    """What the service is recognised by."""
    found = [str(pattern) for pattern in spec.match] + [str(endpoint) for endpoint in spec.endpoints]
    return found or ["everything else" if spec.name == CATCH_ALL else "nothing"]


def _service(file: FileSpec, spec: ServiceSpec) -> dict[str, Any]:
    return {
        "name": spec.name,
        "mode": str(spec.mode or file.mode),
        "match": [str(pattern) for pattern in spec.match],
        "endpoints": [str(endpoint) for endpoint in spec.endpoints],
        "policies": _policies(spec.policies),
        "operations": [
            {"operation": text, "idempotent": each.idempotent, "policies": _policies(each.policies)}
            for text, each in spec.operations.items()
        ],
    }


def _policies(spec: PoliciesSpec) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for name in spec.names:
        if name in ("rate_limiter", "bulkhead", "fault"):
            found.append({"policy": name, **_options(getattr(spec, name))})
        elif name in ("retry", "hedge"):
            written: RetrySpec | HedgeSpec = getattr(spec, name)
            budget = None if written.budget is None else dict(written.budget)
            found.append({"policy": name, **_options(written.options), "budget": budget})
        elif name == "circuit_breaker" and spec.circuit_breaker is not None:
            force = spec.circuit_breaker.force
            found.append({"policy": name, **_options(spec.circuit_breaker.options), "force": force})
        else:
            found.append({"policy": name, "seconds": getattr(spec, name)})
    return found


def _options(options: Any) -> dict[str, Any]:
    return {
        field.name: _plain(getattr(options, field.name))
        for field in dataclasses.fields(options)
        if field.name not in _NOT_OF_FILES
    }


def _plain(value: Any) -> Any:
    if isinstance(value, Codes):
        return sorted(value.codes)
    if isinstance(value, InjectedCode):
        return value.code
    return (
        dataclasses.asdict(value)
        if dataclasses.is_dataclass(value) and not isinstance(value, type)
        else value
    )


def _text(policy: dict[str, Any]) -> str:
    name = policy["policy"]
    if name not in _ALWAYS:
        return f"{name} {duration(policy['seconds'])}"
    usual = _options(_USUAL[name])
    options = [
        _option(key, value)
        for key, value in policy.items()
        if (key in _ALWAYS[name] and value is not None)
        or (key not in ("policy", *_ALWAYS[name]) and value != usual.get(key))
    ]
    return f"{name} {' '.join(options)}"


def _option(key: str, value: Any) -> str:
    if isinstance(value, dict):
        return f"{key}=[{' '.join(_option(*each) for each in value.items())}]"
    if isinstance(value, list):
        return f"{key}=[{' '.join(value)}]"
    return f"{key}={duration(value) if key in _SECONDS and value is not None else value}"


def duration(seconds: float) -> str:
    """Seconds as a policy file writes them."""
    return f"{seconds * 1000:g}ms" if seconds < 1 else f"{seconds:g}s"
