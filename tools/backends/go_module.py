"""Building programs inside a downloaded Go module.

Inside, because the module's own `go.sum` then verifies what it depends on; a module of ours around it would have to ask the checksum
database about every dependency, and `go install module@version` refuses modules that replace one.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from failures import UnobtainableError

# Enough to keep two cores busy, and no more memory than a small machine has.
PARALLEL_COMPILATIONS = "2"
PROGRESS_EVERY_SECONDS = 15.0
LAST_LINES_SHOWN = 25


def download(go: Path, pinned: str) -> Path:
    """Download `module@version` through the Go module proxy and return the folder it lies in."""
    command = [str(go), "mod", "download", "-json", pinned]
    answer = subprocess.run(command, env=_environment(), capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        raise UnobtainableError(
            f"{pinned} could not be downloaded:\n{_last_lines(answer.stdout + answer.stderr)}"
        )
    return Path(json.loads(answer.stdout)["Dir"])


def build(go: Path, folder: Path, packages: list[str], into: Path) -> None:
    """Build the programs of `packages`, named as Go names them, into the folder `into`, with a line of progress now and then."""
    command = [
        str(go),
        "build",
        "-C",
        str(folder),
        "-trimpath",
        "-ldflags=-s -w",
        "-p",
        PARALLEL_COMPILATIONS,
    ]
    command += ["-v", "-o", f"{into}{os.sep}", *packages]
    said: list[str] = []
    with (
        subprocess.Popen(
            command, env=_environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process,
        _progress(said),
    ):
        said.extend(process.stdout or ())
    if process.returncode != 0:
        raise UnobtainableError(f"{folder.name} could not be built:\n{_last_lines(''.join(said))}")


def _environment() -> dict[str, str]:
    # Without C no compiler is needed; go may fetch the newer toolchain that a module asks for unless the user forbade it.
    return {"GOTOOLCHAIN": "auto", **os.environ, "CGO_ENABLED": "0"}


def _last_lines(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.strip().splitlines()[-LAST_LINES_SHOWN:])


@contextlib.contextmanager
def _progress(said: list[str]) -> Iterator[None]:
    """Print from time to time how long the build takes; go itself is silent but for a name per compiled package."""
    over, begun = threading.Event(), time.monotonic()

    def report() -> None:
        while not over.wait(PROGRESS_EVERY_SECONDS):
            passed = int(time.monotonic() - begun)
            compiled = sum(not line.startswith("go: ") for line in said)
            doing = f"{compiled} packages compiled" if compiled else "downloading what it depends on"
            print(f"    … {passed // 60} min {passed % 60:02d} s, {doing}", flush=True)

    reporter = threading.Thread(target=report, daemon=True)
    reporter.start()
    try:
        yield
    finally:
        over.set()
        reporter.join()
