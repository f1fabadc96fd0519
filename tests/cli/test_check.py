"""``otel-resilience check``: what is guarded and "ok", or every fault with its file and line."""

from __future__ import annotations

import builtins
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from otel_resilience.cli.listing import duration
from otel_resilience.cli.main import main

_RIGHT = """
mode: shadow
services:
  payments:
    match: ["payments:8080", "grpc:shop.v1.Payments"]
    endpoints: ["10.0.0.7:8080"]
    timeout: 2s
    retry: {backoff: {initial: 50ms}, on: [UNAVAILABLE, HTTP_503], budget: {ratio: 0.1}}
    circuit_breaker: {recovery_timeout: 500ms, recovery_max: 1m, force: open}
    attempt_timeout: 800ms
    operations:
      "POST /charge": {idempotent: true, retry: null}
      "GET /report": {idempotent: false, timeout: null, retry: null, circuit_breaker: null, attempt_timeout: null}
  ledger: {mode: off, timeout: 90}
  codeonly: {match: [], mode: shadow}
  "*": {retry: {}}
"""
_BREAKER = "circuit_breaker failure_threshold=5 recovery_timeout=500ms recovery_max=60s force=open"


@pytest.fixture
def right(tmp_path: Path) -> str:
    file = tmp_path / "right.yaml"
    file.write_text(_RIGHT)
    return str(file)


@pytest.fixture
def wrong(tmp_path: Path) -> str:
    file = tmp_path / "wrong.yaml"
    file.write_text("services:\n  a:\n    timeout: 0\n    retri: {}\n")
    return str(file)


def test_a_right_file_is_listed(right: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", right]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "payments [payments:8080, grpc:shop.v1.Payments, 10.0.0.7:8080]: timeout 2s > "
        "retry on=[HTTP_503 UNAVAILABLE] max_attempts=3 backoff=[initial=50ms factor=2.0 max=30s jitter=full] budget=[ratio=0.1] > "
        f"{_BREAKER} > attempt_timeout 800ms",
        f"  POST /charge (idempotent): timeout 2s > {_BREAKER} > attempt_timeout 800ms",
        "  GET /report (not idempotent): not guarded",
        "ledger (off) [ledger]: timeout 90s",
        "codeonly [nothing]: not guarded",
        "* [everything else]: retry max_attempts=3",
        f"{right}: ok (mode shadow, propagation internal, 2 services guarded)",
    ]


def test_faults_are_lines_that_editors_understand(wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", wrong]) == 1
    assert capsys.readouterr().out.splitlines() == [
        f"{wrong}:3: services.a.timeout: must be seconds > 0, got 0",
        f"{wrong}:4: services.a.retri: unknown key; did you mean retry?",
    ]


def test_a_file_that_cannot_be_read_is_a_fault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", f"{tmp_path}/none.yaml"]) == 1
    assert capsys.readouterr().out == f"{tmp_path}/none.yaml: cannot be read: No such file or directory\n"


def test_one_wrong_file_among_several_is_enough(
    right: str, wrong: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", right, wrong]) == 1
    said = capsys.readouterr().out
    assert f"{right}: ok" in said
    assert f"{wrong}:3:" in said


def test_a_toml_fault_has_no_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.toml").write_text("mode = 1\n")
    assert main(["check", f"{tmp_path}/a.toml"]) == 1
    assert capsys.readouterr().out == f"{tmp_path}/a.toml: mode: must be one of enforce, shadow, off, got 1\n"


def test_an_empty_file_guards_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.yaml").write_text("")
    assert main(["check", f"{tmp_path}/a.yaml"]) == 0
    assert (
        capsys.readouterr().out
        == f"{tmp_path}/a.yaml: ok (mode enforce, propagation internal, 0 services guarded)\n"
    )


def test_json_for_machines(right: str, wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--json", right, wrong]) == 1
    said = json.loads(capsys.readouterr().out)
    good, bad = said["files"]
    assert said["ok"] is False
    assert bad == {
        "file": wrong,
        "ok": False,
        "faults": [
            {"path": "services.a.timeout", "line": 3, "reason": "must be seconds > 0, got 0"},
            {"path": "services.a.retri", "line": 4, "reason": "unknown key; did you mean retry?"},
        ],
    }
    assert (good["ok"], good["faults"], good["mode"], good["propagation"]) == (True, [], "shadow", "internal")
    payments, ledger, _, _ = good["services"]
    assert ledger == {
        "name": "ledger",
        "mode": "off",
        "match": ["ledger"],
        "endpoints": [],
        "policies": [{"policy": "timeout", "seconds": 90.0}],
        "operations": [],
    }
    assert [each["policy"] for each in payments["policies"]] == [
        "timeout",
        "retry",
        "circuit_breaker",
        "attempt_timeout",
    ]
    assert payments["policies"][1] == {
        "policy": "retry",
        "on": ["HTTP_503", "UNAVAILABLE"],
        "max_attempts": 3,
        "backoff": {"initial": 0.05, "factor": 2.0, "max": 30.0, "jitter": "full"},
        "max_elapsed": None,
        "retry_after_max": 30.0,
        "budget": {"ratio": 0.1},
    }
    assert payments["operations"][1] == {"operation": "GET /report", "idempotent": False, "policies": []}


def test_a_right_file_is_ok_for_machines_too(right: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", right, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ok"] is True


def test_a_terminal_gets_a_table(
    right: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["check", right]) == 0
    said = capsys.readouterr().out
    assert [
        word
        for word in ("┃", "payments", "POST /charge (idempotent)", "not guarded", "everything else")
        if word not in said
    ] == []
    assert said.splitlines()[-1] == f"{right}: ok (mode shadow, propagation internal, 2 services guarded)"


def test_a_terminal_without_rich_gets_lines(
    right: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without_rich(name: str, *rest: Any, **more: Any) -> Any:
        if name.partition(".")[0] == "rich":
            raise ModuleNotFoundError("No module named 'rich'", name="rich")
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without_rich)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert main(["check", right]) == 0
    assert capsys.readouterr().out.startswith("payments [payments:8080")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.25, "250ms"), (0.0, "0ms"), (1.0, "1s"), (90.0, "90s"), (1.5, "1.5s")]
)
def test_durations_are_written_as_files_write_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text
