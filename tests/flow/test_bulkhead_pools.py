"""Bulkheads by name, and what a bulkhead may be told."""

from __future__ import annotations

from typing import Any

import pytest

from otel_resilience import Bulkhead, ConfigurationError


class TestPools:
    def test_a_pool_is_found_by_its_name(self) -> None:
        made = Bulkhead.create_pool("critical", max_concurrency=5, max_queue=10, max_wait=2.0)
        assert Bulkhead.pool("critical") is made
        assert (made.name, made.options.max_concurrency, made.options.max_queue) == ("critical", 5, 10)
        assert made.options.max_wait == 2.0
        assert Bulkhead.pool("critical").call(lambda: made.running) == 1

    def test_one_that_is_made_again_must_be_the_same(self) -> None:
        made = Bulkhead.create_pool("again", max_concurrency=5)
        assert Bulkhead.create_pool("again", max_concurrency=5) is made
        with pytest.raises(ConfigurationError, match="pool 'again' must keep its options"):
            Bulkhead.create_pool("again", max_concurrency=6)
        assert Bulkhead.pool("again").options.max_concurrency == 5

    def test_one_that_nobody_made_is_an_error_with_near_names(self) -> None:
        Bulkhead.create_pool("inventory", max_concurrency=1)
        with pytest.raises(ConfigurationError, match="got 'inventroy': did you mean inventory"):
            Bulkhead.pool("inventroy")

    @pytest.mark.parametrize("name", ["", None, 3])
    def test_a_name_is_a_text(self, name: Any) -> None:
        with pytest.raises(ConfigurationError, match="pool name must be a text that is not empty"):
            Bulkhead.create_pool(name, max_concurrency=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_concurrency": 0}, "Bulkhead max_concurrency must be a whole number >= 1, got 0"),
        ({"max_concurrency": True}, "Bulkhead max_concurrency must be a whole number >= 1, got True"),
        ({"max_concurrency": 1.0}, "Bulkhead max_concurrency must be a whole number >= 1, got 1.0"),
        ({"max_concurrency": 1, "max_queue": -1}, "Bulkhead max_queue must be a whole number >= 0, got -1"),
        ({"max_concurrency": 1, "max_wait": -0.1}, "Bulkhead max_wait must be seconds >= 0, got -0.1"),
        ({"max_concurrency": 1, "name": ""}, "Bulkhead name must be a text that is not empty, got ''"),
    ],
)
def test_a_bad_option_is_one_clear_error(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as caught:
        Bulkhead(**options)
    assert isinstance(caught.value, ValueError)


def test_a_missing_option_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="max_concurrency"):
        Bulkhead()  # type: ignore[call-arg]  # the point
