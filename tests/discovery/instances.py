"""Instances for tests, and waiting for what happens on other threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from otel_resilience import Endpoint, ServiceInfo


def info(port: int = 8080, *, name: str = "payments", host: str = "10.0.0.7", **more: Any) -> ServiceInfo:
    return ServiceInfo(name=name, host=host, port=port, **more)


def ports(endpoints: list[Endpoint]) -> list[int]:
    return [endpoint.port for endpoint in endpoints]


def eventually(holds: Callable[[], bool], seconds: float = 10.0) -> None:
    """Return as soon as ``holds``; fail where it does not within ``seconds``."""
    pause = threading.Event()
    for _ in range(int(seconds / 0.005)):
        if holds():
            return
        pause.wait(0.005)
    assert holds()
