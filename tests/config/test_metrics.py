"""``metrics``: which roots of errors become attributes."""

from __future__ import annotations

import pytest

from otel_resilience.exceptions import ConfigurationError
from tests.config.files import config_of


def test_where_nothing_is_written_all_are_named() -> None:
    config = config_of("mode: enforce")
    assert (config.root_services, config.root_codes) == (None, None)


def test_lists_are_read() -> None:
    config = config_of("metrics: {root_services: [ledger, stock], root_codes: [DB_UNAVAILABLE]}")
    assert config.root_services == {"ledger", "stock"}
    assert config.root_codes == {"DB_UNAVAILABLE"}


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        ("root_services: ledger", "metrics.root_services: must be a list of names of services, got 'ledger'"),
        ("root_services: [1]", "metrics.root_services[0]: must be the name of a service, got 1"),
        ("root_codes: [odd, OK]", "metrics.root_codes[0]: must be an error code"),
        ("roots: []", "metrics.roots: unknown key"),
    ],
)
def test_a_fault_is_told_with_its_place(written: str, fault: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        config_of(f"metrics: {{{written}}}")
    assert fault in str(caught.value)
