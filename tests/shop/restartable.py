"""The demo's shop, of which one service at a time can be started anew with an environment of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from otel_resilience.cli.demo.processes import Shop

#: So that no test waits for telemetry that is only being held back.
_PROMPT = {
    "OTEL_BSP_SCHEDULE_DELAY": "50",
    "OTEL_BLRP_SCHEDULE_DELAY": "50",
    "OTEL_METRIC_EXPORT_INTERVAL": "300",
}


class RestartableShop(Shop):
    """``environment`` is for all services and all starts."""

    def __init__(self, directory: Path, endpoint: str, environment: Mapping[str, str] | None = None) -> None:
        super().__init__(directory, endpoint, {**_PROMPT, **(environment or {})})
        self._own: dict[str, dict[str, str]] = {}

    def have(self, service: str, *, fresh: bool = False, **environment: str) -> None:
        """Let ``service`` run with ``environment`` added. Started anew if it has ended, runs with another one, or must be ``fresh``."""
        process = self.processes[service]
        if process.poll() is None:
            if self._own.get(service, {}) == environment and not fresh:
                return
            process.terminate()
            process.wait(15)
        self._own[service] = environment
        self.processes[service] = self._start(service)
        self._wait_for(service, 60.0)

    def _environment_of(self, service: str) -> dict[str, str]:
        return super()._environment_of(service) | self._own.get(service, {})
