"""Both worlds, a clock that only moves when told, and whatever is announced."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from otel_resilience.testing import ManualClock, Recorder
from tests.flow.holder import Holder
from tests.worlds import WORLDS, World

_ERAS = itertools.count(1_000.0, 1_000.0)


@pytest.fixture(params=WORLDS, ids=repr)
def world(request: pytest.FixtureRequest) -> World:
    chosen: World = request.param
    return chosen


@pytest.fixture(autouse=True)
def nobody_is_left() -> Iterator[None]:
    yield
    Holder.end_all()


@pytest.fixture
def clock() -> Iterator[ManualClock]:
    # Each test in a time of its own: policies of one name share a budget while they live.
    with ManualClock(next(_ERAS), auto=True) as clock:
        yield clock


@pytest.fixture
def seen() -> Iterator[Recorder]:
    with Recorder() as seen:
        yield seen
