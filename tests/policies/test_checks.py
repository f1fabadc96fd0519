"""The rules of options: what is beyond a float is refused like everything else that is wrong."""

from __future__ import annotations

import pytest

from otel_resilience.exceptions import ConfigurationError
from otel_resilience.policies.circuit_breaker.options import CircuitBreakerOptions
from otel_resilience.policies.timeout.policy import Timeout


def test_a_number_beyond_a_float_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="CircuitBreaker recovery_growth must be a number >= 1"):
        CircuitBreakerOptions(recovery_growth=10**400)
    with pytest.raises(ConfigurationError, match="Timeout seconds must be seconds > 0"):
        Timeout(10**400)
