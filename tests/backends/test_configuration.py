"""What deploy/ ships is valid, and the rules do what their own tests say."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.backends.running import DEPLOY, program

CHECKS = {
    "prometheus.yml": ("promtool", "check", "config", "prometheus/prometheus.yml"),
    "alert rules": (
        "promtool",
        "check",
        "rules",
        "--lint=all",
        "--lint-fatal",
        "prometheus/rules/otel_resilience.yml",
    ),
    "tests of the alert rules": ("promtool", "test", "rules", "prometheus/rules/otel_resilience_test.yml"),
    "alertmanager.yml": ("amtool", "check-config", "alertmanager/alertmanager.yml"),
    "jaeger.yaml": ("jaeger", "validate", "--config", "collector/jaeger.yaml"),
}


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS.keys())
def test_its_own_tool_accepts_it(check: tuple[str, ...]) -> None:
    name, *arguments = check
    answer = run(name, *arguments, within=DEPLOY)
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_a_rule_that_waits_fails_the_tests_of_the_rules(tmp_path: Path) -> None:
    rules = DEPLOY / "prometheus" / "rules"
    text = (rules / "otel_resilience.yml").read_text()
    waiting, changed = re.subn(r"( +)labels:", r"\1for: 1m\n\1labels:", text, count=1)
    assert changed == 1
    (tmp_path / "otel_resilience.yml").write_text(waiting)
    (tmp_path / "otel_resilience_test.yml").write_text((rules / "otel_resilience_test.yml").read_text())
    answer = run("promtool", "test", "rules", "otel_resilience_test.yml", within=tmp_path)
    assert answer.returncode != 0
    assert "CircuitBreakerOpen" in answer.stdout + answer.stderr


def test_every_alert_has_the_runbook_that_it_links_to() -> None:
    rules = (DEPLOY / "prometheus" / "rules" / "otel_resilience.yml").read_text()
    linked = re.findall(r"runbook_url: .*/([\w-]+\.md)", rules)
    assert len(linked) == rules.count("- alert: ")
    for runbook in linked:
        text = (DEPLOY / "runbooks" / runbook).read_text()
        assert any(f"- alert: {alert}\n" in rules for alert in re.findall(r"^# (\w+)$", text, re.MULTILINE))


def run(name: str, *arguments: str, within: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program(name), *arguments], cwd=within, capture_output=True, text=True, timeout=60, check=False
    )
