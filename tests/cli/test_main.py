"""The command line itself: help, version, bad use, missing extras, readers that go away."""

from __future__ import annotations

import builtins
import importlib.metadata
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from otel_resilience.cli.main import main

_COMMAND = [sys.executable, "-m", "otel_resilience.cli.main"]


def status_of(*arguments: str) -> object:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    return caught.value.code


@pytest.mark.parametrize("arguments", [(), ("chek",), ("check",), ("check", "--jsn", "x"), ("--nonsense",)])
def test_bad_use(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(*arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("usage: otel-resilience")


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of("--help") == 0
    said = capsys.readouterr().out
    assert "check policy files before they ship" in said
    assert "run a small shop of four services" in said


def test_help_of_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of("check", "--help") == 0
    assert "FILE:LINE: path: reason" in " ".join(capsys.readouterr().out.split())


def test_the_version_is_that_of_the_distribution(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of("--version") == 0
    assert capsys.readouterr().out == f"otel-resilience {importlib.metadata.version('otel-resilience')}\n"


def test_a_demo_without_its_libraries_names_the_extra(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without_command(name: str, *rest: Any, **more: Any) -> Any:
        if name.startswith("otel_resilience.cli.demo"):
            raise ModuleNotFoundError("No module named 'rich'", name="rich")
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without_command)
    assert main(["demo"]) == 2
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "the demo needs rich: pip install 'otel-resilience[demo]'\n")


def test_check_imports_nothing_that_only_the_demo_needs(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("services: {a: {timeout: 1s}}")
    program = (
        "import sys; from otel_resilience.cli.main import main; main(['check', sys.argv[1]]);"
        "print([n for n in ('grpc', 'flask', 'rich', 'opentelemetry.sdk') if n in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "a.yaml")], capture_output=True, text=True, check=True
    )
    assert result.stdout.splitlines()[-1] == "[]"


def test_a_reader_that_goes_away_is_no_traceback(tmp_path: Path) -> None:
    services = "\n".join(f"  s{n}: {{timeout: 1s}}" for n in range(5000))
    (tmp_path / "a.yaml").write_text(f"services:\n{services}\n")
    process = subprocess.Popen(
        [*_COMMAND, "check", str(tmp_path / "a.yaml")], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.read(10)
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert (process.wait(), said) == (1, b"")
