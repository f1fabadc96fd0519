"""Fresh virtual environments, as a user makes them."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Environment:
    """A virtual environment of its own, into which nothing of the project's own one leaks."""

    folder: Path

    @classmethod
    def fresh(cls, folder: Path) -> Environment:
        """Make one with this Python and the pip that it brings."""
        subprocess.run([_base_python(), "-m", "venv", str(folder)], check=True)
        return cls(folder)

    def program(self, name: str) -> Path:
        """Where a program of this environment lies."""
        return self.folder / "bin" / name

    def run(self, *command: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run a program of this environment; ``settings`` are added to its environment variables."""
        return subprocess.run(
            [str(self.program(command[0])), *command[1:]],
            cwd=self.folder,
            env=self.variables() | settings,
            capture_output=True,
            text=True,
            check=False,
        )

    def pip(self, *arguments: str) -> str:
        """Run pip; what it said, and an error that says it where it fails."""
        done = self.run("python", "-m", "pip", "--disable-pip-version-check", "--no-input", *arguments)
        assert done.returncode == 0, f"pip {' '.join(arguments)}\n{done.stdout}{done.stderr}"
        return done.stdout

    def python(self, code: str) -> str:
        """What a few lines of Python print in this environment."""
        done = self.run("python", "-W", "error", "-c", code)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def variables(self) -> dict[str, str]:
        """The variables of this process, without those that choose Pythons or switch telemetry."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PYTHON", "OTEL_", "VIRTUAL_ENV"))
        }
        return kept | {"PATH": f"{self.folder / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"}


def _base_python() -> str:
    return getattr(sys, "_base_executable", sys.executable)
