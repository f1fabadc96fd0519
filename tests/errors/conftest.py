"""Both worlds."""

from __future__ import annotations

import pytest

from tests.worlds import WORLDS, World


@pytest.fixture(params=WORLDS, ids=repr)
def world(request: pytest.FixtureRequest) -> World:
    chosen: World = request.param
    return chosen
