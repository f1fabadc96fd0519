"""Resilience that OpenTelemetry can see: the public names.

Each is imported when it is first asked for: a process that only passes error chains on never loads the policies, nor the parser of their file.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from otel_resilience.defaults import VERSION as __version__  # noqa: F401, N811 — the composition root: wires telemetry

if TYPE_CHECKING:
    from otel_resilience.config.load import load_config
    from otel_resilience.context.deadline import Deadline
    from otel_resilience.errors.adopt import error_chain
    from otel_resilience.errors.chain import ErrorChain
    from otel_resilience.errors.codes import register_code
    from otel_resilience.errors.hop import Hop
    from otel_resilience.errors.propagator import ErrorPropagator
    from otel_resilience.errors.remote import RemoteError
    from otel_resilience.exceptions import (
        BulkheadFullError,
        CircuitOpenError,
        ConfigurationError,
        DeadlineExceededError,
        DomainError,
        FaultInjectedError,
        NoHealthyEndpointError,
        RateLimitedError,
        ResilienceError,
        RetriesExhaustedError,
        ServiceNotFoundError,
        ServiceTimeoutError,
    )
    from otel_resilience.pipeline import Pipeline
    from otel_resilience.policies.circuit_breaker.policy import CircuitBreaker
    from otel_resilience.policies.circuit_breaker.state import BreakerState
    from otel_resilience.policies.retry.backoff import Backoff
    from otel_resilience.policies.retry.policy import Retry
    from otel_resilience.policies.retry_budget.policy import RetryBudget
    from otel_resilience.policies.timeout.policy import Timeout

__all__ = [
    "Backoff",
    "BreakerState",
    "BulkheadFullError",
    "CircuitBreaker",
    "CircuitOpenError",
    "ConfigurationError",
    "Deadline",
    "DeadlineExceededError",
    "DomainError",
    "ErrorChain",
    "ErrorPropagator",
    "FaultInjectedError",
    "Hop",
    "NoHealthyEndpointError",
    "Pipeline",
    "RateLimitedError",
    "RemoteError",
    "ResilienceError",
    "RetriesExhaustedError",
    "Retry",
    "RetryBudget",
    "ServiceNotFoundError",
    "ServiceTimeoutError",
    "Timeout",
    "error_chain",
    "load_config",
    "register_code",
]

#: The module of each public name, within this package.
_MODULES = {
    "Backoff": "policies.retry.backoff",
    "BreakerState": "policies.circuit_breaker.state",
    "BulkheadFullError": "exceptions",
    "CircuitBreaker": "policies.circuit_breaker.policy",
    "CircuitOpenError": "exceptions",
    "ConfigurationError": "exceptions",
    "Deadline": "context.deadline",
    "DeadlineExceededError": "exceptions",
    "DomainError": "exceptions",
    "ErrorChain": "errors.chain",
    "ErrorPropagator": "errors.propagator",
    "FaultInjectedError": "exceptions",
    "Hop": "errors.hop",
    "NoHealthyEndpointError": "exceptions",
    "Pipeline": "pipeline",
    "RateLimitedError": "exceptions",
    "RemoteError": "errors.remote",
    "ResilienceError": "exceptions",
    "RetriesExhaustedError": "exceptions",
    "Retry": "policies.retry.policy",
    "RetryBudget": "policies.retry_budget.policy",
    "ServiceNotFoundError": "exceptions",
    "ServiceTimeoutError": "exceptions",
    "Timeout": "policies.timeout.policy",
    "error_chain": "errors.adopt",
    "load_config": "config.load",
    "register_code": "errors.codes",
}

if not TYPE_CHECKING:  # to a type checker a name that is not there must stay an error

    def __getattr__(name: str) -> object:
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
