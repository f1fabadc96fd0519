"""Fixtures for users' tests; pytest finds them by entry point, nothing is to be imported."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from otel_resilience.testing.manual_clock import ManualClock
from otel_resilience.testing.recorder import Recorder
from otel_resilience.testing.switch import resilience_off


@pytest.fixture
def resilience_clock() -> Iterator[ManualClock]:
    """A clock that only moves when told; waits of threads and tasks move it, so no test sleeps."""
    with ManualClock(auto=True) as clock:
        yield clock


@pytest.fixture
def resilience_events() -> Iterator[Recorder]:
    """Everything that policies announce during the test."""
    with Recorder() as recorder:
        yield recorder


@pytest.fixture
def without_resilience() -> Iterator[None]:
    """The test runs as if nothing were guarded."""
    with resilience_off():
        yield
