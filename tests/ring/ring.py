"""Six services in a ring, over HTTP and gRPC by turns, with six clients; each a process under ``opentelemetry-instrument``."""

from __future__ import annotations

import http.client
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from otel_resilience import ErrorChain
from otel_resilience.cli.demo import programs
from otel_resilience.errors.codecs import error_chain as codec

ROOT = Path(__file__).parents[2]
_PROGRAMS = Path(__file__).parent / "programs"
#: The only address inside: strangers of the tests live at others of the loopback.
INSIDE = "127.0.0.1"

_POLICIES = """
services:
  http: {match: ["127.0.0.1"], timeout: 20s}
  grpc: {match: ["grpc:ring.v1.Ring"], timeout: 20s}
"""


class Service(NamedTuple):
    """``answers``: what fails behind it is caught and answered for, else it goes through as it is."""

    name: str
    program: str
    client: str
    answers: bool


SERVICES = (
    Service("amber", "flask_service", "grpc", True),
    Service("birch", "grpc_service", "requests", False),
    Service("cedar", "flask_service", "grpc_aio", True),
    Service("dogwood", "grpc_aio_service", "httpx_async", True),
    Service("elm", "flask_service", "grpc", False),
    Service("fir", "grpc_service", "httpx", True),
)
NAMES = tuple(each.name for each in SERVICES)


def way(start: str, hops: int) -> tuple[str, ...]:
    """Who is passed, the first one first."""
    at = NAMES.index(start)
    return tuple(NAMES[(at + step) % len(NAMES)] for step in range(hops + 1))


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: str

    @property
    def chain(self) -> ErrorChain | None:
        text = self.headers.get("error-chain")
        return None if text is None else codec.decode(text)


class Ring:
    """In use inside ``with``; ``endpoint`` is where telemetry goes, ``environment`` is added to that of each service."""

    def __init__(self, directory: Path, endpoint: str, environment: Mapping[str, str]) -> None:
        self.ports = dict(zip(NAMES, programs.free_ports(len(NAMES)), strict=True))
        self._directory = directory
        self._endpoint = endpoint
        self._environment = environment
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def ask(self, name: str, path: str, *, source: str = INSIDE, **headers: str) -> Answer:
        """What the HTTP service ``name`` answers a caller at ``source``; ``x_correlation_id=`` is ``x-correlation-id``."""
        connection = http.client.HTTPConnection(INSIDE, self.ports[name], 60, source_address=(source, 0))
        try:
            connection.request(
                "GET", path, headers={key.replace("_", "-"): text for key, text in headers.items()}
            )
            response = connection.getresponse()
            found = {key.lower(): text for key, text in response.getheaders()}
            return Answer(response.status, found, response.read().decode(errors="replace"))
        finally:
            connection.close()

    def __enter__(self) -> Self:
        policies = self._directory / "policies.yaml"
        policies.write_text(_POLICIES)
        try:
            for service in SERVICES:
                script, log = _PROGRAMS / f"{service.program}.py", self._log(service.name)
                self._processes[service.name] = programs.start(
                    script, log, self._environment_of(service, policies)
                )
            for name, process in self._processes.items():
                programs.wait_for(name, process, self.ports[name], self._log(name), 90.0)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _stop(self) -> None:
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _log(self, name: str) -> Path:
        return self._directory / f"{name}.log"

    def _environment_of(self, service: Service, policies: Path) -> dict[str, str]:
        behind = way(service.name, 1)[1]
        next_port = self.ports[behind]
        own = programs.environment_of(service.name, self._endpoint)
        return own | {
            # The far end raises what the table of the tests has, under this checkout's plugin and no other's that is installed.
            "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "instrumentation"))),
            "RING_PORT": str(self.ports[service.name]),
            "RING_NEXT": f"{INSIDE}:{next_port}"
            if service.client.startswith("grpc")
            else f"http://{INSIDE}:{next_port}",
            "RING_CLIENT": service.client,
            "RING_STYLE": "answers" if service.answers else "raises",
            "OTEL_BSP_SCHEDULE_DELAY": "50",
            "OTEL_BLRP_SCHEDULE_DELAY": "50",
            "OTEL_METRIC_EXPORT_INTERVAL": "300",
            "OTEL_RESILIENCE_CONFIG": str(policies),
            "OTEL_RESILIENCE_INTERNAL_HOSTS": f"none,{INSIDE}",
            **self._environment,
        }
