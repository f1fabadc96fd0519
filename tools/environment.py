"""Makes a virtual environment of the project's own, or leaves it as it is when nothing that it was made from has changed.

    python tools/environment.py .venv --extras demo,httpx --groups test,lint

Run by the interpreter that the environment shall have. The project is installed editable, with a current pip, because the
one that comes with a Python may be too old to find a way through OpenTelemetry's versions. Standard library only.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import platform
import shutil
import subprocess
import sys
import time
import tomllib
import venv
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Make the environment that the command line names. Exit status 1, with pip's own words, when it cannot be made."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--extras", default="", help="names of extras, by commas")
    parser.add_argument("--groups", default="", help="names of dependency groups, by commas")
    asked = parser.parse_args()
    directory: Path = PROJECT / asked.directory
    with directory.with_name(f"{directory.name}.lock").open("w") as lock:
        # Two targets at once: the second one waits, and finds the environment made.
        fcntl.flock(lock, fcntl.LOCK_EX)
        return make(directory, asked.extras, asked.groups)


def make(directory: Path, extras: str, groups: str) -> int:
    """Make one environment unless it is there already; the exit status."""
    stamp = directory / "made-from"
    made_from = fingerprint(extras, groups)
    if stamp.exists() and stamp.read_text() == made_from and python_of(directory).exists():
        return 0
    print(
        f"making {directory.name} with Python {platform.python_version()} (once, about a minute)", flush=True
    )
    began = time.monotonic()
    shutil.rmtree(directory, ignore_errors=True)
    venv.create(directory, with_pip=True)
    chosen = [f"--group={name}" for name in groups.split(",") if name]
    project = f"{PROJECT}[{extras}]" if extras else str(PROJECT)
    for arguments in (["--upgrade", "pip"], [*chosen, "--editable", project]):
        if not install(directory, arguments):
            return 1
    stamp.write_text(made_from)
    print(f"made {directory.name} in {time.monotonic() - began:.0f} s", flush=True)
    return 0


def fingerprint(extras: str, groups: str) -> str:
    """What the environment depends on; another value asks for another environment."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    asked = {name: project.get(name) for name in ("project", "dependency-groups", "build-system")}
    parts = [sys.executable, sys.version, str(PROJECT), extras, groups, json.dumps(asked, sort_keys=True)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def python_of(directory: Path) -> Path:
    """The interpreter of an environment."""
    return directory / "bin" / "python"


def install(directory: Path, arguments: list[str]) -> bool:
    """Install with the environment's own pip; what it said is shown only when it fails."""
    command = [
        str(python_of(directory)),
        "-m",
        "pip",
        "--disable-pip-version-check",
        "--no-input",
        "install",
        *arguments,
    ]
    done = subprocess.run(
        command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode != 0:
        print(done.stdout, file=sys.stderr)
        print(f"could not install: {' '.join(command)}", file=sys.stderr)
    return done.returncode == 0


if __name__ == "__main__":
    raise SystemExit(main())
