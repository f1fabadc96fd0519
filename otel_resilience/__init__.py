"""Resilience that OpenTelemetry can see: the public names.

Each is imported when it is first asked for: a process that only passes error chains on never loads the
policies, nor the parser of their file.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from otel_resilience.defaults import VERSION as __version__  # noqa: F401, N811 — the composition root: wires telemetry

if TYPE_CHECKING:
    from otel_resilience.config.load import load_config
    from otel_resilience.context.deadline import Deadline
    from otel_resilience.discovery.endpoint import Endpoint
    from otel_resilience.discovery.health_check import HealthCheck
    from otel_resilience.discovery.registry import ServiceRegistry
    from otel_resilience.discovery.service_info import ServiceInfo
    from otel_resilience.errors.adopt import error_chain
    from otel_resilience.errors.chain import ErrorChain
    from otel_resilience.errors.codes import register_code
    from otel_resilience.errors.correlation_manager import CorrelationManager
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
    from otel_resilience.mesh.mesh import ServiceMesh
    from otel_resilience.pipeline import Pipeline
    from otel_resilience.policies.bulkhead.policy import Bulkhead
    from otel_resilience.policies.circuit_breaker.policy import CircuitBreaker
    from otel_resilience.policies.circuit_breaker.transitions import BreakerState
    from otel_resilience.policies.fallback.policy import Fallback
    from otel_resilience.policies.fault.policy import FaultInjector
    from otel_resilience.policies.hedge.policy import Hedge
    from otel_resilience.policies.rate_limit.policy import RateLimiter
    from otel_resilience.policies.retry.backoff import Backoff
    from otel_resilience.policies.retry.policy import Retry
    from otel_resilience.policies.retry_budget.policy import RetryBudget
    from otel_resilience.policies.timeout.handler import TimeoutHandler
    from otel_resilience.policies.timeout.policy import Timeout
    from otel_resilience.telemetry.tracer import DistributedTracer

__all__ = [
    "Backoff",
    "BreakerState",
    "Bulkhead",
    "BulkheadFullError",
    "CircuitBreaker",
    "CircuitOpenError",
    "ConfigurationError",
    "CorrelationManager",
    "Deadline",
    "DeadlineExceededError",
    "DistributedTracer",
    "DomainError",
    "Endpoint",
    "ErrorChain",
    "ErrorPropagator",
    "Fallback",
    "FaultInjectedError",
    "FaultInjector",
    "HealthCheck",
    "Hedge",
    "Hop",
    "NoHealthyEndpointError",
    "Pipeline",
    "RateLimitedError",
    "RateLimiter",
    "RemoteError",
    "ResilienceError",
    "RetriesExhaustedError",
    "Retry",
    "RetryBudget",
    "ServiceInfo",
    "ServiceMesh",
    "ServiceNotFoundError",
    "ServiceRegistry",
    "ServiceTimeoutError",
    "Timeout",
    "TimeoutHandler",
    "error_chain",
    "load_config",
    "register_code",
]

#: The module of each public name, within this package.
_MODULES = {
    "Backoff": "policies.retry.backoff",
    "BreakerState": "policies.circuit_breaker.transitions",
    "Bulkhead": "policies.bulkhead.policy",
    "BulkheadFullError": "exceptions",
    "CircuitBreaker": "policies.circuit_breaker.policy",
    "CircuitOpenError": "exceptions",
    "ConfigurationError": "exceptions",
    "CorrelationManager": "errors.correlation_manager",
    "Deadline": "context.deadline",
    "DeadlineExceededError": "exceptions",
    "DistributedTracer": "telemetry.tracer",
    "DomainError": "exceptions",
    "Endpoint": "discovery.endpoint",
    "ErrorChain": "errors.chain",
    "ErrorPropagator": "errors.propagator",
    "Fallback": "policies.fallback.policy",
    "FaultInjectedError": "exceptions",
    "FaultInjector": "policies.fault.policy",
    "HealthCheck": "discovery.health_check",
    "Hedge": "policies.hedge.policy",
    "Hop": "errors.hop",
    "NoHealthyEndpointError": "exceptions",
    "Pipeline": "pipeline",
    "RateLimitedError": "exceptions",
    "RateLimiter": "policies.rate_limit.policy",
    "RemoteError": "errors.remote",
    "ResilienceError": "exceptions",
    "RetriesExhaustedError": "exceptions",
    "Retry": "policies.retry.policy",
    "RetryBudget": "policies.retry_budget.policy",
    "ServiceInfo": "discovery.service_info",
    "ServiceMesh": "mesh.mesh",
    "ServiceNotFoundError": "exceptions",
    "ServiceRegistry": "discovery.registry",
    "ServiceTimeoutError": "exceptions",
    "Timeout": "policies.timeout.policy",
    "TimeoutHandler": "policies.timeout.handler",
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
