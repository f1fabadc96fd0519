"""Programs of other people, each started by the README's line in a folder and a session of its own."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.packaging.environments import Environment

PROGRAMS = Path(__file__).parent / "strangers"
_SECONDS_TO_START = 30.0
_SECONDS_TO_END = 30.0


def folder_of(program: str, parent: Path) -> Path:
    """A copy of a program with the policy file beside it."""
    folder = parent / program
    shutil.copytree(PROGRAMS / program, folder)
    shutil.copy(PROGRAMS / "resilience.yaml", folder)
    return folder


def run(line: str, environment: Environment, folder: Path, **settings: str) -> str:
    """Run a line of a shell to its end; its standard output, and an error that says all where it fails.

    Under Python 3.12 OpenTelemetry's own logging handler complains on stderr at exit that it can start no thread any more.
    """
    done = subprocess.run(
        ["sh", "-c", line],
        cwd=folder,
        env=environment.variables() | settings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"$ {line}\n{done.stdout}{done.stderr}"
    return done.stdout


@contextmanager
def serving(line: str, environment: Environment, folder: Path, port: int, **settings: str) -> Iterator[None]:
    """Run a line of a shell that serves on ``port``, as long as the block lasts; it is ended as by Ctrl-C."""
    log = folder / "log"
    with log.open("w") as writing:
        process = subprocess.Popen(
            ["sh", "-c", line],
            cwd=folder,
            env=environment.variables() | settings | {"PORT": str(port)},
            stdout=writing,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_hear_ctrl_c,  # noqa: PLW1509 — it takes no lock
        )
    try:
        _wait_for(port, process, log)
        yield
    finally:
        try:
            os.killpg(process.pid, signal.SIGINT)
            process.wait(_SECONDS_TO_END)
        except ProcessLookupError:
            process.wait()
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise


def _hear_ctrl_c() -> None:
    # Whatever a shell has put into its background ignores it, and so would all that we start.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def free_port() -> int:
    """A port of the loopback that nobody has at the moment."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    ending = time.monotonic() + _SECONDS_TO_START
    while True:
        assert process.poll() is None, f"ended while starting:\n{log.read_text()}"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            assert time.monotonic() < ending, f"takes no connections:\n{log.read_text()}"
            time.sleep(0.05)
