"""A breaker that opens tells the one on call, and so does its end."""

from __future__ import annotations

import pytest

from tests.backends.asking import eventually
from tests.backends.running import Backends
from tests.backends.service import BreakerStatus, Service

# It usually takes 2 to 6 seconds: the export, an evaluation each 2 s, a second of grouping.
ALERT_SECONDS = 30.0


@pytest.mark.parametrize("state", ["open", "forced_open"])
def test_an_open_circuit_reaches_the_webhook_and_resolves(backends: Backends, state: str) -> None:
    with Service("alerts", backends.otlp_grpc) as service:
        status = BreakerStatus(service, "payments")
        breaker = {
            "alertname": "CircuitBreakerOpen",
            "job": service.name,
            "resilience_policy_name": "payments",
        }
        closed = f'resilience_circuit_breaker_status{{job="{service.name}",resilience_circuit_breaker_state="closed"}} == 1'
        eventually(lambda: backends.query(closed), "the closed breaker in Prometheus")
        assert backends.webhook.alerts("firing", **breaker) == []

        status.state = state
        firing = eventually(
            lambda: backends.webhook.alerts("firing", **breaker),
            "the alert at the webhook",
            within=ALERT_SECONDS,
        )
        assert firing[0]["labels"] == {**breaker, "severity": "warning"}
        assert firing[0]["annotations"]["summary"] == f'Circuit breaker "payments" of {service.name} is open'
        assert firing[0]["annotations"]["runbook_url"] == "deploy/runbooks/circuit-breaker-open.md"
        assert backends.webhook.alerts("resolved", **breaker) == []

        status.state = "closed"
        resolved = eventually(
            lambda: backends.webhook.alerts("resolved", **breaker),
            "the alert's end at the webhook",
            within=ALERT_SECONDS,
        )
        assert resolved[0]["fingerprint"] == firing[0]["fingerprint"]
