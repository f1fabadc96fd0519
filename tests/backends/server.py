"""One server process: started, waited for, stopped by its own id."""

from __future__ import annotations

import os
import subprocess
import time
import urllib.error
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.backends.asking import get

READY_SECONDS = 60.0
STOP_SECONDS = 10.0
LOG_LINES_SHOWN = 30
BETWEEN_LOOKS_SECONDS = 0.05


class Server:
    """A program of `.backends/bin`, running in a folder of its own and writing its log there."""

    def __init__(
        self,
        program: Path,
        arguments: Sequence[str],
        *,
        folder: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = program.name
        self._log = folder / f"{program.name}.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [program, *arguments],
                cwd=folder,
                env={**os.environ, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def wait_until_ready(self, url: str) -> None:
        """Wait until a GET of `url` is answered with 2xx; RuntimeError with the end of the log if it never is."""
        end = time.monotonic() + READY_SECONDS
        while time.monotonic() < end:
            if self._process.poll() is not None:
                raise RuntimeError(
                    f"{self.name} ended by itself (status {self._process.returncode}):\n{self.log_end()}"
                )
            try:
                get(url)
            except (urllib.error.URLError, OSError):
                time.sleep(BETWEEN_LOOKS_SECONDS)
            else:
                return
        raise RuntimeError(f"{self.name} is not ready after {READY_SECONDS:g} s ({url}):\n{self.log_end()}")

    def stop(self) -> None:
        """End the process, by force if it does not go within ten seconds; a second call does nothing."""
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def log_end(self) -> str:
        """The last lines of what the server has logged."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:])
