"""The shop's four services as processes, each started by ``opentelemetry-instrument``, and its database as a file."""

from __future__ import annotations

import sqlite3
import subprocess
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Self

from otel_resilience.cli.demo import programs
from otel_resilience.cli.demo.fault import WAY, Fault
from otel_resilience.cli.demo.policies import write_policy_file

_SCRIPTS = Path(__file__).parent / "shop"
_SECONDS_TO_START = 60.0
_SECONDS_TO_STOP = 15.0


class Shop:
    """Four processes on the loopback. A context manager: started on entering, stopped on leaving.

    ``endpoint`` is the OTLP endpoint that all of them report to; ``environment`` is added to that of each service.
    Everything they write is in ``directory``.
    """

    def __init__(self, directory: Path, endpoint: str, environment: Mapping[str, str] | None = None) -> None:
        self.directory = directory
        self.ports = dict(zip(WAY, programs.free_ports(len(WAY)), strict=True))
        self.policy_file = directory / "resilience.yaml"
        self._database = directory / "ledger.db"
        self._endpoint = endpoint
        self._environment = dict(environment or {})
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        """Start all four and wait until each takes connections. Raises ``ProgramError``."""
        write_policy_file(self.policy_file, self.ports)
        _create_database(self._database)
        for service in reversed(WAY):
            self.processes[service] = self._start(service)
        ending = time.monotonic() + _SECONDS_TO_START
        for service in WAY:
            self._wait_for(service, ending - time.monotonic())

    def stop(self) -> None:
        """Ask all to end, which sends their last telemetry, and wait for it. Does nothing where they have ended."""
        for process in self.processes.values():
            process.terminate()
        ending = time.monotonic() + _SECONDS_TO_STOP
        for process in self.processes.values():
            try:
                process.wait(max(0.0, ending - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def begin(self, fault: Fault) -> None:
        """Let ``fault`` happen from now on."""
        if fault.told:
            # Moved into place whole: a service must not read half a code.
            waiting = self.directory / "failure"
            waiting.write_text(fault.code)
            waiting.replace(self._failure_file(fault.service))
        else:
            self._database.rename(self._database.with_suffix(".away"))

    def end(self, fault: Fault) -> None:
        """Make ``fault`` good again."""
        if fault.told:
            self._failure_file(fault.service).unlink()
        else:
            self._database.with_suffix(".away").rename(self._database)

    def log(self, service: str) -> str:
        """What ``service`` wrote to its standard output and error so far."""
        path = self._log_file(service)
        return path.read_text(errors="replace") if path.exists() else ""

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _start(self, service: str) -> subprocess.Popen[bytes]:
        return programs.start(
            _SCRIPTS / f"{service}.py", self._log_file(service), self._environment_of(service)
        )

    def _wait_for(self, service: str, seconds: float) -> None:
        process, log = self.processes[service], self._log_file(service)
        programs.wait_for(service, process, self.ports[service], log, seconds)

    def _environment_of(self, service: str) -> dict[str, str]:
        return programs.environment_of(service, self._endpoint) | {
            "SHOP_PORT": str(self.ports[service]),
            "SHOP_ORDERS_URL": f"http://127.0.0.1:{self.ports['orders']}",
            "SHOP_PAYMENTS_TARGET": f"127.0.0.1:{self.ports['payments']}",
            "SHOP_LEDGER_URL": f"http://127.0.0.1:{self.ports['ledger']}",
            "SHOP_LEDGER_FILE": str(self._database),
            "SHOP_FAILURE_FILE": str(self._failure_file(service)),
            # Short, so that a collector sees the breaker open while it is.
            "OTEL_BSP_SCHEDULE_DELAY": "500",
            "OTEL_BLRP_SCHEDULE_DELAY": "500",
            "OTEL_METRIC_EXPORT_INTERVAL": "1000",
            "OTEL_RESILIENCE_CONFIG": str(self.policy_file),
            **self._environment,
        }

    def _failure_file(self, service: str) -> Path:
        return self.directory / f"{service}.failure"

    def _log_file(self, service: str) -> Path:
        return self.directory / f"{service}.log"


def _create_database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE accounts (id TEXT PRIMARY KEY, balance INTEGER NOT NULL)")
        database.execute("CREATE TABLE entries (id INTEGER PRIMARY KEY, account TEXT, amount INTEGER)")
        database.execute("INSERT INTO accounts VALUES ('alice', 100000)")
