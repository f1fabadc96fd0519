"""What a policy file says, once it is found right: frozen values, in seconds and options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Literal

from otel_resilience.config.operations import OperationKey
from otel_resilience.config.patterns import HostPort, Pattern
from otel_resilience.outcome import Mode
from otel_resilience.policies.bulkhead.options import BulkheadOptions
from otel_resilience.policies.circuit_breaker.options import CircuitBreakerOptions
from otel_resilience.policies.fault.options import FaultInjectorOptions
from otel_resilience.policies.hedge.options import HedgeOptions
from otel_resilience.policies.rate_limit.options import RateLimiterOptions
from otel_resilience.policies.retry.options import RetryOptions

CATCH_ALL = "*"
Force = Literal["open", "closed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrySpec:
    """``budget``: the options of the ``RetryBudget`` that is written; ``None`` for the default one of the service's name."""

    options: RetryOptions
    budget: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HedgeSpec:
    """``budget`` as in ``RetrySpec``."""

    options: HedgeOptions
    budget: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitBreakerSpec:
    """``force`` holds the circuit where somebody on call wants it."""

    options: CircuitBreakerOptions = field(default_factory=CircuitBreakerOptions)
    force: Force | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PoliciesSpec:
    """The policies of one service or operation after merging, outermost first; ``None`` where there is none.

    Seconds.
    """

    timeout: float | None = None
    rate_limiter: RateLimiterOptions | None = None
    bulkhead: BulkheadOptions | None = None
    retry: RetrySpec | None = None
    hedge: HedgeSpec | None = None
    circuit_breaker: CircuitBreakerSpec | None = None
    attempt_timeout: float | None = None
    fault: FaultInjectorOptions | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The policies there are, outermost first."""
        return tuple(each.name for each in fields(self) if getattr(self, each.name) is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationSpec:
    """One operation.

    ``own_*``: it states its own, and does not share the service's. ``idempotent``: ``None`` where not said.
    """

    key: OperationKey
    policies: PoliciesSpec
    idempotent: bool | None = None
    own_circuit_breaker: bool = False
    own_bulkhead: bool = False
    own_rate_limiter: bool = False
    own_budget: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSpec:
    """One entry of ``services``.

    ``mode`` is ``None`` where the file's mode holds; ``match`` is the name where none is written.
    """

    name: str
    policies: PoliciesSpec
    mode: Mode | None = None
    match: tuple[Pattern, ...] = ()
    match_written: bool = False
    endpoints: tuple[HostPort, ...] = ()
    operations: Mapping[str, OperationSpec] = field(default_factory=dict)

    @property
    def guarded(self) -> bool:
        """Whether there is any policy in it, or in one of its operations."""
        return bool(self.policies.names) or any(each.policies.names for each in self.operations.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSpec:
    """The whole file.

    ``root_services`` and ``root_codes`` are the only ones that ``resilience.errors`` names; ``None`` for all.
    """

    path: str
    mode: Mode = Mode.ENFORCE
    propagation: str = "internal"
    service: str | None = None
    root_services: frozenset[str] | None = None
    root_codes: frozenset[str] | None = None
    services: Mapping[str, ServiceSpec] = field(default_factory=dict)
