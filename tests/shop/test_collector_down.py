"""Nobody takes the telemetry: the shop works as it does where none is sent, and as fast."""

from __future__ import annotations

import socket
import statistics
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from otel_resilience.cli.demo.fault import DATABASE_LOST
from otel_resilience.cli.demo.processes import Shop
from tests.shop.customer import check_out

_ROUNDS = 40
#: Medians of requests that take a few milliseconds; anything that waited for a collector would be many times slower.
_AT_MOST = 2.0

NO_TELEMETRY = {f"OTEL_{signal}_EXPORTER": "none" for signal in ("TRACES", "METRICS", "LOGS")}


@pytest.fixture
def shops(tmp_path: Path) -> Iterator[tuple[Shop, Shop]]:
    """One whose collector is down, and one that has none."""
    with socket.socket() as taken, ExitStack() as stack:
        taken.bind(("127.0.0.1", 0))  # and never listening: it refuses, and nobody else can take it
        down = f"http://127.0.0.1:{taken.getsockname()[1]}"
        without, silent = tmp_path / "down", tmp_path / "silent"
        without.mkdir()
        silent.mkdir()
        both = Shop(without, down), Shop(silent, down, NO_TELEMETRY)
        for shop in both:
            stack.enter_context(shop)
            # The last thing an exporter does is to wait for its collector, which is no part of the shop's work.
            for process in shop.processes.values():
                stack.callback(process.kill)
        yield both


def test_requests_are_no_slower_and_end_the_same(shops: tuple[Shop, Shop]) -> None:
    for shop in shops:
        assert check_out(shop.ports["gateway"]).status == 200  # connections are made, code is warm
    rounds = [[check_out(shop.ports["gateway"]) for shop in shops] for _ in range(_ROUNDS)]

    assert {answer.status for answers in rounds for answer in answers} == {200}
    down, silent = (
        statistics.median(answer.seconds for answer in side) for side in zip(*rounds, strict=True)
    )
    print(
        f"median {down * 1000:.1f} ms with a collector that is down, {silent * 1000:.1f} ms without exporters"
    )
    assert down / silent < _AT_MOST

    for shop in shops:
        shop.begin(DATABASE_LOST)
        statuses = [check_out(shop.ports["gateway"]).status for _ in range(5)]
        shop.end(DATABASE_LOST)
        assert statuses == [502] * 5  # three that failed and two that the circuit rejected
        assert all(process.poll() is None for process in shop.processes.values())
