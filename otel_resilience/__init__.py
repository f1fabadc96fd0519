"""Resilience that OpenTelemetry can see: the public names."""

from otel_resilience.config.load import load_config
from otel_resilience.context.deadline import Deadline
from otel_resilience.defaults import VERSION as __version__  # noqa: F401, N811 — the composition root: wires telemetry
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
from otel_resilience.policies.circuit_breaker.state import BreakerState
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
