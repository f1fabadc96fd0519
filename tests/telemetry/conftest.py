"""Each test has an SDK of its own, and policies that no other test sees."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from otel_resilience.testing import ManualClock
from tests.telemetry.observatory import Observatory


@pytest.fixture
def observatory() -> Iterator[Observatory]:
    with Observatory() as observatory:
        yield observatory


@pytest.fixture
def manual_clock() -> Iterator[ManualClock]:
    with ManualClock() as clock:
        yield clock
