"""The servers that the backend tests run against: which, at what version, and how to know a fitting one.

A version is raised only after the configuration under `deploy/` has run with it: newer Prometheus and Alertmanager modules exist that
do not build, because their page assets or dependencies are not part of the module.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ASKING_SECONDS = 30.0


def said_by(program: Path, *arguments: str) -> str:
    """What a program prints when asked about itself; empty if it cannot be run or does not answer in time."""
    try:
        answer = subprocess.run(
            [program, *arguments], capture_output=True, text=True, timeout=ASKING_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout + answer.stderr


def version_said_by(program: Path) -> tuple[int, int]:
    """Major and minor version of `<program> --version`; (0, 0) if it says none."""
    found = re.search(r"(?:version|nats-server:) v?(\d+)\.(\d+)", said_by(program, "--version"))
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _is_jaeger_2(program: Path) -> bool:
    # A build says its version in many ways, or not at all; what it is made of decides whether our configuration runs.
    parts = said_by(program, "components")
    return all(
        part in parts for part in ("jaeger_storage_exporter", "spanmetrics", "otlphttp", "healthcheckv2")
    )


def _is_prometheus_3(program: Path) -> bool:
    return version_said_by(program) >= (3, 0) and "--web.enable-otlp-receiver" in said_by(program, "--help")


def _is_promtool_3(program: Path) -> bool:
    return version_said_by(program) >= (3, 0)


def _reads_url_files(program: Path) -> bool:
    return version_said_by(program) >= (0, 26)


def _has_message_headers(program: Path) -> bool:
    # 2.2 brought them, and JetStream; 2.9 is the oldest that the tests have run with.
    return version_said_by(program) >= (2, 9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One download: a Go module at a version, and the programs built from it.

    `programs` maps each program's name to the test that one found on the PATH must pass to be used instead. `packages` are what is
    built: by default `./cmd/<program>` for each of them.
    """

    title: str
    module: str
    version: str
    programs: dict[str, Callable[[Path], bool]]
    packages: tuple[str, ...] = ()

    @property
    def pinned(self) -> str:
        """`module@version`, as Go writes it."""
        return f"{self.module}@{self.version}"

    @property
    def built_from(self) -> list[str]:
        """The packages to build, relative to the module's folder."""
        return list(self.packages) or [f"./cmd/{program}" for program in self.programs]


COMPONENTS = (
    Component(
        title="NATS 2.12",
        module="github.com/nats-io/nats-server/v2",
        # The last that asks for no newer Go than the others do.
        version="v2.12.4",
        programs={"nats-server": _has_message_headers},
        packages=(".",),
    ),
    Component(
        title="Alertmanager 0.31",
        module="github.com/prometheus/alertmanager",
        version="v0.31.0",
        programs={"alertmanager": _reads_url_files, "amtool": _reads_url_files},
    ),
    Component(
        title="Prometheus 3.9",
        module="github.com/prometheus/prometheus",
        version="v0.309.1",
        programs={"prometheus": _is_prometheus_3, "promtool": _is_promtool_3},
    ),
    Component(
        title="Jaeger 2.13",
        # The module never got a v2 path: its v1.76.0 and the release 2.13.0 are one commit.
        module="github.com/jaegertracing/jaeger",
        version="v1.76.0",
        programs={"jaeger": _is_jaeger_2},
    ),
)
