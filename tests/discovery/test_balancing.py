"""Who is chosen, how often, and under threads."""

from __future__ import annotations

import threading
from collections import Counter

import pytest

from otel_resilience import ServiceRegistry
from otel_resilience.testing import Draws
from tests.discovery.instances import info


def test_round_robin_is_exact_under_threads() -> None:
    with ServiceRegistry() as registry:
        for port in (1, 2, 3):
            registry.register(info(port))
        chosen: list[int] = []

        def discover() -> None:
            mine = [registry.discover("payments").port for _ in range(3000)]
            chosen.extend(mine)

        threads = [threading.Thread(target=discover) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert Counter(chosen) == {1: 8000, 2: 8000, 3: 8000}


def test_each_question_has_a_round_of_its_own() -> None:
    with ServiceRegistry() as registry:
        for port in (1, 2, 3, 4):
            registry.register(info(port, tags=["odd"] if port % 2 else []))
        odd = [registry.discover("payments", tags=["odd"]).port for _ in range(4)]
        assert sorted(odd) == [1, 1, 3, 3]
        for number in range(200):  # more questions than are remembered: each is answered all the same
            assert registry.discover_all("payments", version=str(number)) == []


def test_a_round_begins_anywhere() -> None:
    first = set()
    for draw in (0.0, 0.5, 0.99):
        with Draws([draw]), ServiceRegistry() as registry:
            for port in (1, 2, 3):
                registry.register(info(port))
            first.add(registry.discover("payments").port)
    assert first == {1, 2, 3}


def test_weights_are_kept_and_evenly_spread() -> None:
    with Draws([0.0]), ServiceRegistry("weighted") as registry:
        for port, weight in ((1, 500), (2, 100), (3, 100)):
            registry.register(info(port, weight=weight))
        # The textbook's example of nginx's rule: never five of the heavy one in a row.
        assert [registry.discover("payments").port for _ in range(7)] == [1, 1, 2, 1, 3, 1, 1]


def test_weights_that_make_too_long_a_round_are_kept_on_average() -> None:
    with ServiceRegistry("weighted") as registry:
        for port, weight in ((1, 997), (2, 499), (3, 1)):
            registry.register(info(port, weight=weight))
        with Draws([0.0, 0.66, 0.67, 0.9993, 0.9994, 0.9999]):
            assert [registry.discover("payments").port for _ in range(6)] == [1, 1, 2, 2, 3, 3]


def test_the_less_busy_of_two_is_chosen() -> None:
    with ServiceRegistry("least_request") as registry:
        for port in (1, 2, 3):
            registry.register(info(port))
        busy = registry.discover_all("payments")[0]
        with registry.using(busy):
            assert {registry.discover("payments").port for _ in range(200)} == {2, 3}
            with Draws([0.0, 0.0]):
                assert registry.discover("payments").port == 2
        with Draws([0.0, 0.0]):
            assert registry.discover("payments").port == 1  # of equals, the first drawn


def test_weight_counts_among_the_less_busy() -> None:
    with ServiceRegistry("least_request") as registry:
        registry.register(info(1, weight=1))
        registry.register(info(2, weight=3))
        [light, heavy] = registry.discover_all("payments")
        assert registry.discover("payments") == heavy
        with registry.using(heavy):
            assert registry.discover("payments") == heavy  # 2 of 3 is less than 1 of 1
            with registry.using(heavy), registry.using(heavy):
                assert registry.discover("payments") == light


def test_a_lone_endpoint_is_always_the_one() -> None:
    for balancing in ("round_robin", "weighted", "least_request"):
        with ServiceRegistry(balancing) as registry:  # type: ignore[arg-type] # a loop over literals
            registry.register(info())
            assert {registry.discover("payments").port for _ in range(3)} == {8080}


def test_calls_under_way_are_counted_exactly() -> None:
    with ServiceRegistry("least_request") as registry:
        registry.register(info())
        endpoint = registry.discover("payments")

        def use() -> None:
            for _ in range(2000):
                with registry.using(endpoint):
                    pass

        threads = [threading.Thread(target=use) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert registry._load.busy() == ()


def test_a_selector_over_endpoints_of_ones_own_choice() -> None:
    with ServiceRegistry() as registry:
        for port in (1, 2, 3):
            registry.register(info(port))
        choose = registry.selector(registry.discover_all("payments")[1:])
        assert sorted(choose().port for _ in range(4)) == [2, 2, 3, 3]
        with pytest.raises(ValueError, match="at least one"):
            registry.selector([])
