"""Programs that know nothing of us as processes, each started by ``opentelemetry-instrument``."""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Mapping
from pathlib import Path

#: Below the range from which systems give ports to outgoing connections, so that none of these takes one of ours.
_PORTS = range(20_000, 32_000)
#: What must not come in from the environment around a program.
_FOREIGN = ("OTEL_", "FLASK_", "WERKZEUG_", "SHOP_")


class ProgramError(Exception):
    """A program could not be started; the message says which and what it wrote last."""


def start(script: Path, log: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start ``script``; what it writes goes into ``log``. Raises ``ProgramError`` where the command is missing."""
    with log.open("wb") as writing:
        return subprocess.Popen(
            [_command(), sys.executable, str(script)],
            cwd=log.parent,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=writing,
            stderr=subprocess.STDOUT,
            # Ctrl-C at the terminal ends whoever started it, who ends the program.
            start_new_session=True,
        )


def wait_for(name: str, process: subprocess.Popen[bytes], port: int, log: Path, seconds: float) -> None:
    """Wait until ``process`` takes connections on ``port``. Raises ``ProgramError``."""
    ending = time.monotonic() + seconds
    while True:
        if process.poll() is not None:
            raise ProgramError(f"{name} ended while starting:\n{_last_lines(log)}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > ending:
                raise ProgramError(
                    f"{name} did not take connections within {seconds:g} s:\n{_last_lines(log)}"
                ) from None
            time.sleep(0.05)


def environment_of(name: str, endpoint: str) -> dict[str, str]:
    """What a program called ``name``, which reports to the OTLP ``endpoint`` over gRPC, is started with."""
    own = {key: value for key, value in os.environ.items() if not key.startswith(_FOREIGN)}
    bypass = ",".join(filter(None, (os.environ.get("no_proxy", ""), "127.0.0.1")))
    return own | {
        "no_proxy": bypass,
        "NO_PROXY": bypass,
        "PYTHONUNBUFFERED": "1",
        "OTEL_SERVICE_NAME": name,
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_METRICS_EXPORTER": "otlp",
        "OTEL_LOGS_EXPORTER": "otlp",
    }


def free_ports(count: int) -> list[int]:
    """Ports of the loopback that nobody has at the moment. Raises ``ProgramError`` where there are not so many."""
    found: list[int] = []
    for port in random.sample(_PORTS, len(_PORTS)):
        with socket.socket() as trial:
            try:
                trial.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise ProgramError(f"there are no {count} free ports between {_PORTS.start} and {_PORTS.stop}")


def _command() -> str:
    beside = Path(sysconfig.get_path("scripts")) / "opentelemetry-instrument"
    found = str(beside) if beside.exists() else shutil.which("opentelemetry-instrument")
    if found is None:
        raise ProgramError("opentelemetry-instrument is not installed: pip install 'otel-resilience[demo]'")
    return found


def _last_lines(log: Path, count: int = 15) -> str:
    text = log.read_text(errors="replace") if log.exists() else ""
    return "\n".join(text.splitlines()[-count:]) or "(it wrote nothing)"
