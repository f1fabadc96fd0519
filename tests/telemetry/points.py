"""Points of one name, and calls that make them, for tests."""

from __future__ import annotations

from otel_resilience import Backoff
from tests.telemetry.observatory import Attributes

AT_ONCE = Backoff(initial=0.0, jitter="none")


def fail() -> None:
    raise OSError("away")


def of(points: dict[Attributes, int], name: str) -> dict[Attributes, int]:
    return {key: value for key, value in points.items() if ("resilience.policy.name", name) in key}
