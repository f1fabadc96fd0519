"""Two shops of real processes for the tests of this folder, each started when it is first asked for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from otel_resilience.cli.demo.receiver import Receiver
from tests.instrumentation.http_server import ScriptedServer
from tests.shop.restartable import RestartableShop


@pytest.fixture(scope="session")
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


_POLICIES = """
services:
  orders: {{match: ["127.0.0.1:{orders}"], timeout: 20s}}
  payments: {{match: ["grpc:shop.v1.Payments"], timeout: 10s}}
  ledger:
    match: ["127.0.0.1", ledger.invalid]
    timeout: 1500ms
    retry: {{max_attempts: 3, backoff: {{initial: 1ms}}}}
"""


@pytest.fixture(scope="session")
def guarded_shop(receiver: Receiver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RestartableShop]:
    """With policies on every call, and no breaker: one test's failures are not to be another one's rejections."""
    folder = tmp_path_factory.mktemp("guarded")
    file = folder / "policies.yaml"
    shop = RestartableShop(folder, receiver.endpoint, {"OTEL_RESILIENCE_CONFIG": str(file)})
    file.write_text(_POLICIES.format(**shop.ports))
    with shop as running:
        yield running


@pytest.fixture(scope="session")
def unguarded_shop(receiver: Receiver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RestartableShop]:
    """Without a policy file."""
    nothing = {"OTEL_RESILIENCE_CONFIG": ""}
    with RestartableShop(tmp_path_factory.mktemp("unguarded"), receiver.endpoint, nothing) as running:
        yield running


@pytest.fixture(scope="session")
def peer() -> Iterator[ScriptedServer]:
    """Somebody who stands where the ledger should be."""
    with ScriptedServer() as running:
        yield running
