"""The rules of options: what is beyond a float, or beyond 63 bits, is refused like everything else that is wrong."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from otel_resilience import Bulkhead, Hedge
from otel_resilience.exceptions import ConfigurationError
from otel_resilience.policies.circuit_breaker.options import CircuitBreakerOptions
from otel_resilience.policies.timeout.policy import Timeout


@pytest.mark.parametrize(
    "make", [lambda most: Bulkhead(max_concurrency=most), lambda most: Hedge(after=1.0, max_hedges=most)]
)
def test_a_whole_number_is_one_that_telemetry_can_carry(make: Callable[[int], object]) -> None:
    make(2**63 - 1)
    with pytest.raises(ConfigurationError, match=r"must be a whole number <= 9223372036854775807, got 9"):
        make(2**63)


def test_a_number_beyond_a_float_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="CircuitBreaker recovery_growth must be a number >= 1"):
        CircuitBreakerOptions(recovery_growth=10**400)
    with pytest.raises(ConfigurationError, match="Timeout seconds must be seconds > 0"):
        Timeout(10**400)
