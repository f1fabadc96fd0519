"""What must come of a fault is derived from the policies."""

from __future__ import annotations

from pathlib import Path

import pytest

from otel_resilience.cli.demo.fault import DATABASE_LOST, read_fault
from otel_resilience.cli.demo.plan import Counts, Plan
from otel_resilience.cli.demo.policies import SHIPPED, ShopPolicies, read_policies, write_policy_file

POLICIES = ShopPolicies(failure_threshold=4, recovery_timeout=2.0, max_attempts=3)


def test_a_lost_database_is_retried_opens_the_circuit_and_is_the_root() -> None:
    plan = Plan(fault=DATABASE_LOST, policies=POLICIES)

    assert plan.attempts == 3
    assert plan.failing == Counts(failures=4, rejections=5)
    assert plan.failure_chain.services == ("ledger", "payments", "orders", "gateway")
    assert plan.failure_chain.codes == ("DB_UNAVAILABLE", "UNAVAILABLE", "HTTP_503", "HTTP_502")
    assert plan.rejection_chain.services == ("orders", "gateway")
    assert plan.executions == {"success": 10, "failure": 4, "rejected": 5}
    assert plan.transitions == (("closed", "open"), ("open", "half_open"), ("half_open", "closed"))


@pytest.mark.parametrize(
    ("fault", "attempts", "chain", "codes", "opens"),
    [
        (
            "ledger=DISK_FULL",
            1,
            ("ledger", "payments", "orders", "gateway"),
            ("DISK_FULL", "UNAVAILABLE", "HTTP_503", "HTTP_502"),
            True,
        ),
        (
            "payments=CARD_DECLINED",
            0,
            ("payments", "orders", "gateway"),
            ("CARD_DECLINED", "HTTP_503", "HTTP_502"),
            True,
        ),
        ("orders=SOLD_OUT", 0, ("orders", "gateway"), ("SOLD_OUT", "HTTP_502"), False),
        ("gateway=CONFUSED", 0, ("gateway",), ("CONFUSED",), False),
    ],
)
def test_another_service_is_the_root_of_its_own_error(
    fault: str, attempts: int, chain: tuple[str, ...], codes: tuple[str, ...], opens: bool
) -> None:
    plan = Plan(fault=read_fault(fault), policies=POLICIES)

    assert plan.attempts == attempts
    assert (plan.failure_chain.services, plan.failure_chain.codes) == (chain, codes)
    assert plan.opens is opens
    assert plan.failing == (Counts(failures=4, rejections=5) if opens else Counts(failures=9))
    assert ("rejected" in plan.executions) is opens


def test_where_retry_on_is_written_the_code_must_be_in_it() -> None:
    unwritten = ShopPolicies(failure_threshold=3, recovery_timeout=1.0, max_attempts=3)
    written = ShopPolicies(
        failure_threshold=3, recovery_timeout=1.0, max_attempts=3, retry_on=frozenset({"HTTP_503"})
    )

    assert unwritten.retries("DB_UNAVAILABLE")
    assert not written.retries("DB_UNAVAILABLE")
    assert written.retries("HTTP_503")


def test_the_shipped_file_is_read() -> None:
    policies = read_policies()

    assert policies.max_attempts == 3
    assert policies.failure_threshold == 3
    assert policies.longest_open == pytest.approx(1.1 * policies.recovery_timeout)


def test_the_written_file_has_the_ports_of_the_run_and_the_policies_of_the_shipped_one(
    tmp_path: Path,
) -> None:
    path = tmp_path / "resilience.yaml"

    write_policy_file(path, {"gateway": 1, "orders": 20001, "payments": 20002, "ledger": 20003})

    text = path.read_text()
    assert "127.0.0.1:20001" in text
    assert "127.0.0.1:20003" in text
    assert "127.0.0.1:800" not in text
    assert read_policies(path) == read_policies(SHIPPED)


def test_a_file_without_the_breaker_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "resilience.yaml"
    path.write_text(SHIPPED.read_text().replace("circuit_breaker:", "retry: null #"))

    with pytest.raises(ValueError, match="circuit_breaker"):
        read_policies(path)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("ledger", "must be SERVICE=CODE"),
        ("stock=GONE", "SERVICE must be one of gateway, orders, payments, ledger, got 'stock'"),
        ("ledger=gone", "CODE must be UPPER_SNAKE"),
        ("ledger=", "CODE must be UPPER_SNAKE"),
        (f"ledger={'A' * 64}", "CODE must be UPPER_SNAKE"),
    ],
)
def test_a_fault_that_cannot_be_is_refused(text: str, rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        read_fault(text)
