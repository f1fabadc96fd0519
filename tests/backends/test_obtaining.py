"""`make backends`: what fits is taken from the PATH, the rest is built once, and what cannot be had is said."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from tests.backends.running import REPOSITORY

OBTAIN = REPOSITORY / "tools" / "backends"
# What each program says of itself where it fits; only the lines that are asked for.
FITTING = {
    "alertmanager": "alertmanager, version 0.31.0 (branch: HEAD)",
    "amtool": "amtool, version 0.31.0 (branch: HEAD)",
    "prometheus": "prometheus, version 3.9.1 (branch: HEAD) --web.enable-otlp-receiver",
    "promtool": "promtool, version 3.9.1 (branch: HEAD)",
    "nats-server": "nats-server: v2.12.4",
    "jaeger": "- name: jaeger_storage_exporter - name: spanmetrics - name: otlphttp - name: healthcheckv2",
}
# As much of `go` as is asked for: a module in a folder, and a build that writes the programs into the folder after -o.
GO = """
case "$1" in
  version) echo "go version go1.99.0 linux/amd64" ;;
  mod) printf '{"Dir": "%s"}' "$(pwd)" ;;
  build)
    while [ $# -gt 0 ]; do
      case "$1" in
        -o) into=$2 ;;
        .) echo built > "${into}nats-server" ;;
        ./cmd/*) echo built > "$into${1#./cmd/}" ;;
      esac
      shift
    done ;;
esac
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A folder that is the whole PATH, with every program in a version that fits."""
    folder = tmp_path / "path"
    folder.mkdir()
    for name, words in FITTING.items():
        put(folder, name, f"echo '{words}'")
    return folder


def put(folder: Path, name: str, script: str) -> None:
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def obtain(path: Path, into: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, OBTAIN / "obtain.py", "--into", into],
        env={"PATH": str(path), "HOME": str(into)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_what_fits_is_linked_from_the_path_once(path: Path, tmp_path: Path) -> None:
    into = tmp_path / "obtained"
    first, second = obtain(path, into), obtain(path, into)
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    for name in FITTING:
        assert (into / "bin" / name).resolve() == path / name
    assert first.stdout.count(f"linked from the PATH ({path})") == 4
    assert second.stdout.count("as before") == 4


def test_what_does_not_fit_is_built_once(path: Path, tmp_path: Path) -> None:
    into = tmp_path / "obtained"
    put(path, "go", GO)
    put(path, "prometheus", "echo 'prometheus, version 2.42.0'")
    put(path, "jaeger", "echo 'jaeger-all-in-one 1.60'")
    put(path, "nats-server", "echo 'nats-server: v2.1.9'")
    first, second = obtain(path, into), obtain(path, into)
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert f"{path / 'prometheus'} does not fit" in first.stdout
    assert f"{path / 'jaeger'} does not fit" in first.stdout
    assert f"{path / 'nats-server'} does not fit" in first.stdout
    for name in ("prometheus", "promtool", "jaeger", "nats-server"):
        assert (into / "bin" / name).read_text() == "built\n"
    assert (into / "bin" / "amtool").is_symlink()
    assert second.stdout.count("there already") == 3
    assert "building" not in second.stdout


def test_a_program_that_was_uninstalled_is_obtained_again(path: Path, tmp_path: Path) -> None:
    into = tmp_path / "obtained"
    assert obtain(path, into).returncode == 0
    put(path, "go", GO)
    (path / "jaeger").unlink()
    assert obtain(path, into).returncode == 0
    assert (into / "bin" / "jaeger").read_text() == "built\n"


def test_a_module_that_cannot_be_had_ends_in_one_message(path: Path, tmp_path: Path) -> None:
    put(path, "go", 'case "$1" in version) echo go1.99 ;; *) echo "no such host" >&2; exit 1 ;; esac')
    (path / "jaeger").unlink()
    answer = obtain(path, tmp_path / "obtained")
    assert answer.returncode == 1
    assert (
        "Jaeger 2.13 cannot be had: github.com/jaegertracing/jaeger@v1.76.0 could not be downloaded"
        in answer.stderr
    )
    assert "no such host" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_without_go_the_message_names_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(OBTAIN))
    toolchain, failures = importlib.import_module("toolchain"), importlib.import_module("failures")
    # An old one is none: 1.21 is the first that fetches the toolchain a module asks for.
    put(tmp_path, "go", "echo 'go version go1.19.8 linux/amd64'")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(toolchain, "USUAL_PLACES", ())
    with pytest.raises(failures.UnobtainableError, match=r"the package golang-go where it is at least 1\.21"):
        toolchain.find_or_install_go()
