"""The demo's failure, found in Jaeger, Prometheus and Alertmanager as people on call would look for it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.backends.asking import eventually
from tests.backends.jaeger_trace import JaegerTrace, read_trace
from tests.backends.running import Backends

# The shop's policies: three failed checkouts open the breaker of orders; the account is read three times in each.
FAILURES, ATTEMPTS = 3, 3
ROOT = "resilience.error.root."
CAUSE = "resilience.circuit_breaker.cause."
BREAKER = {"alertname": "CircuitBreakerOpen", "job": "orders", "resilience_policy_name": "payments"}
# Jaeger's microsecond clock may see two spans begin at once; nothing here depends on their order.
SPANS_OF_A_FAILURE = {
    ("gateway", "server"): 1,
    ("gateway", "internal"): 1,
    ("gateway", "client"): 1,
    ("orders", "server"): 1,
    ("orders", "internal"): 1,
    ("orders", "client"): 1,
    ("payments", "server"): 1,
    ("payments", "internal"): 1,
    ("payments", "client"): ATTEMPTS,
    ("ledger", "server"): ATTEMPTS,
}


@pytest.fixture(scope="module")
def demo(backends: Backends) -> dict[str, Any]:
    """What the demo printed as JSON after a run that sent everything to the running collector."""
    command = Path(sys.executable).with_name("otel-resilience")
    run = subprocess.run(
        [command, "demo", "--json", "--otlp", f"http://{backends.otlp_grpc}"],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert run.stdout, run.stderr
    printed: dict[str, Any] = json.loads(run.stdout)
    assert (run.returncode, printed["not_as_it_must_be"]) == (0, []), run.stderr
    assert "did not reach" not in run.stderr
    return printed


@pytest.fixture(scope="module")
def failures(backends: Backends, demo: dict[str, Any]) -> list[JaegerTrace]:
    """The failed checkouts, oldest first, found by what stands on the spans of the gateway."""
    wanted = {f"{ROOT}service": "ledger", f"{ROOT}code": "DB_UNAVAILABLE"}
    return _found(backends, wanted, FAILURES)


@pytest.fixture(scope="module")
def rejections(backends: Backends, demo: dict[str, Any]) -> list[JaegerTrace]:
    """The checkouts that met the open circuit."""
    wanted = {f"{ROOT}service": "orders", f"{ROOT}code": "CIRCUIT_OPEN"}
    return _found(backends, wanted, demo["phases"]["failing"]["rejections"])


def _found(backends: Backends, tags: dict[str, str], count: int) -> list[JaegerTrace]:
    def complete() -> list[dict[str, Any]]:
        found = backends.traces("gateway", tags)
        return found if len(found) >= count else []

    found = eventually(complete, f"{count} traces of the gateway with {tags}")
    return sorted(map(read_trace, found), key=lambda trace: trace.spans[0].start)


def test_a_failing_request_is_one_whole_trace_of_four_services(failures: list[JaegerTrace]) -> None:
    assert len(failures) == FAILURES
    for trace in failures:
        seen: dict[tuple[str, str], int] = {}
        for span in trace.spans:
            seen[span.service, span.kind] = seen.get((span.service, span.kind), 0) + 1
        assert seen == SPANS_OF_A_FAILURE
        assert [span.name for span in trace.spans if span.parent_id is None] == ["POST /checkout"]


@pytest.mark.parametrize(
    ("service", "policy", "attempts"),
    [("gateway", "orders", 1), ("orders", "payments", 1), ("payments", "ledger", ATTEMPTS)],
)
def test_each_attempt_is_a_client_span_under_one_internal_span(
    failures: list[JaegerTrace], service: str, policy: str, attempts: int
) -> None:
    for trace in failures:
        guard = trace.only(service, "internal")
        assert guard.name == f"execute {policy}"
        assert guard.parent_id == trace.only(service, "server").id
        sent = trace.under(guard)
        assert sorted(span.tags["resilience.attempt.number"] for span in sent) == list(range(1, attempts + 1))
        for span in sent:
            assert (span.service, span.kind) == (service, "client")
            assert [answered.kind for answered in trace.under(span)] == ["server"]
            resent = span.tags["resilience.attempt.number"] - 1
            assert span.tags.get("http.request.resend_count") == (resent or None)


def test_the_gateway_says_where_it_broke(failures: list[JaegerTrace]) -> None:
    for trace in failures:
        entry = trace.only("gateway", "server")
        last_read = max(
            trace.of("payments", "client"), key=lambda span: span.tags["resilience.attempt.number"]
        )
        (root,) = trace.under(last_read)
        assert entry.tags[f"{ROOT}service"] == "ledger"
        assert entry.tags[f"{ROOT}code"] == "DB_UNAVAILABLE"
        assert entry.tags[f"{ROOT}trace_id"] == trace.id
        assert entry.tags[f"{ROOT}span_id"] == root.id
        services = json.loads(entry.tags["resilience.error.chain.services"])
        assert services == ["ledger", "payments", "orders", "gateway"]
        assert (trace.id, root.id) in entry.links


def test_a_rejection_names_what_opened_the_circuit(
    failures: list[JaegerTrace], rejections: list[JaegerTrace], demo: dict[str, Any]
) -> None:
    assert len(rejections) == demo["phases"]["failing"]["rejections"] > 0
    for trace in rejections:
        assert {span.service for span in trace.spans} == {"gateway", "orders"}
        entry = trace.only("gateway", "server")
        assert json.loads(entry.tags["resilience.error.chain.services"]) == ["orders", "gateway"]
        guard = trace.only("orders", "internal")
        assert trace.under(guard) == []
        cause = {name: guard.tags[f"{CAUSE}{name}"] for name in ("service", "code", "trace_id")}
        assert cause == {"service": "ledger", "code": "DB_UNAVAILABLE", "trace_id": failures[-1].id}


def test_prometheus_saw_the_breaker_open_and_come_back(backends: Backends, demo: dict[str, Any]) -> None:
    labels = 'job="orders",resilience_policy_name="payments"'
    status = f"resilience_circuit_breaker_status{{{labels}}}"
    eventually(
        lambda: backends.query(f'{status[:-1]},resilience_circuit_breaker_state="closed"}} == 1'),
        "the breaker closed in Prometheus",
    )
    history = {
        series["metric"]["resilience_circuit_breaker_state"]: [value for _, value in series["values"]]
        for series in backends.query(f"{status}[10m]")
    }
    assert set(history) == {"closed", "open", "half_open", "forced_open", "forced_closed"}
    assert without_repeats(history["open"]) == ["0", "1", "0"]
    assert without_repeats(history["closed"]) == ["1", "0", "1"]
    transitions = {
        (
            one["metric"]["resilience_circuit_breaker_previous_state"],
            one["metric"]["resilience_circuit_breaker_state"],
        )
        for one in backends.query(f"resilience_circuit_breaker_transitions_total{{{labels}}} == 1")
    }
    assert transitions == {("closed", "open"), ("open", "half_open"), ("half_open", "closed")}


def test_the_alert_on_the_open_circuit_reached_the_webhook_and_resolved(
    backends: Backends, demo: dict[str, Any]
) -> None:
    resolved = eventually(
        lambda: backends.webhook.alerts("resolved", **BREAKER), "the alert's end at the webhook", within=30.0
    )
    firing = backends.webhook.alerts("firing", **BREAKER)
    assert len(firing) >= 1
    assert {alert["fingerprint"] for alert in firing} == {resolved[0]["fingerprint"]}
    assert firing[0]["annotations"]["summary"] == 'Circuit breaker "payments" of orders is open'


def without_repeats(values: list[str]) -> list[str]:
    """The values with each run of equal ones taken together."""
    return [value for place, value in enumerate(values) if place == 0 or values[place - 1] != value]
