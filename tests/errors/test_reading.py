"""Which side a failure began at, and whether it was a matter of time."""

from __future__ import annotations

import pytest

from otel_resilience.errors.hop import HopKind
from otel_resilience.errors.reading import read_error
from otel_resilience.outcome import Failure
from tests.errors.every_kind import EVERY_KIND


@pytest.mark.parametrize(
    ("name", "remote", "kind"),
    [
        ("httpx.ConnectError", True, HopKind.REMOTE),
        ("httpx.ConnectError", False, HopKind.LOCAL),
        ("httpx.ConnectTimeout", True, HopKind.TIMEOUT),
        ("httpx.PoolTimeout", True, HopKind.LOCAL),
        ("psycopg.OperationalError-57014", False, HopKind.TIMEOUT),
        ("redis.exceptions.TimeoutError", False, HopKind.TIMEOUT),
        ("redis.exceptions.ConnectionError", False, HopKind.LOCAL),
        ("grpc.FutureTimeoutError", True, HopKind.TIMEOUT),
    ],
)
def test_the_kind_of_a_hop(name: str, remote: bool, kind: HopKind) -> None:
    assert read_error(Failure(EVERY_KIND[name].make()), remote=remote).kind is kind
