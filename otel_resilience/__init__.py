"""Resilience that OpenTelemetry can see: the public names."""

from otel_resilience.config.load import load_config
from otel_resilience.context.deadline import Deadline
from otel_resilience.defaults import VERSION as __version__  # noqa: F401, N811 — the composition root: wires telemetry
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
