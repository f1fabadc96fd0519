"""The shop itself: plain services that know nothing of us, as processes that start, fail, recover and end."""

from __future__ import annotations

import ast
import itertools
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_resilience.cli.demo import processes
from otel_resilience.cli.demo.fault import DATABASE_LOST, WAY, read_fault
from otel_resilience.cli.demo.processes import Shop
from otel_resilience.cli.demo.programs import ProgramError
from otel_resilience.cli.demo.receiver import Receiver

SCRIPTS = sorted((Path(processes.__file__).parent / "shop").glob("*.py"))


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


@pytest.fixture(scope="module")
def shop(receiver: Receiver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with Shop(tmp_path_factory.mktemp("shop"), receiver.endpoint) as running:
        yield running


def check_out(shop: Shop) -> int:
    request = urllib.request.Request(
        f"http://127.0.0.1:{shop.ports['gateway']}/checkout",
        data=b'{"account": "alice", "amount": 5}',
        headers={"content-type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_no_service_knows_of_us(script: Path) -> None:
    tree = ast.parse(script.read_text())
    imported = {
        *itertools.chain.from_iterable(
            [alias.name for alias in node.names] for node in ast.walk(tree) if isinstance(node, ast.Import)
        ),
        *(node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)),
    }

    assert not [
        name for name in imported if name is None or name.startswith(("otel_resilience", "opentelemetry"))
    ]


def test_the_shop_sells(shop: Shop) -> None:
    assert check_out(shop) == 200


def test_a_lost_database_is_a_failure_and_no_empty_ledger_takes_its_place(shop: Shop) -> None:
    shop.begin(DATABASE_LOST)
    try:
        assert check_out(shop) == 502
        assert not (shop.directory / "ledger.db").exists()
    finally:
        shop.end(DATABASE_LOST)
    assert check_out(shop) == 200


@pytest.mark.parametrize(("fault", "status"), [("gateway=CONFUSED", 500), ("orders=SOLD_OUT", 502)])
def test_a_service_fails_while_it_is_told_to(shop: Shop, fault: str, status: int) -> None:
    shop.begin(read_fault(fault))
    try:
        assert check_out(shop) == status
    finally:
        shop.end(read_fault(fault))
    assert check_out(shop) == 200


def test_what_the_services_say_last_arrives_when_they_are_stopped(receiver: Receiver, tmp_path: Path) -> None:
    known = len(receiver.telemetry.spans)
    slow = dict.fromkeys(("OTEL_BSP_SCHEDULE_DELAY", "OTEL_METRIC_EXPORT_INTERVAL"), "3600000")

    with Shop(tmp_path, receiver.endpoint, slow) as shop:
        assert check_out(shop) == 200

    new = receiver.telemetry.spans[known:]
    assert {span.service for span in new} == set(WAY)
    assert [process.returncode for process in shop.processes.values()] == [0, 0, 0, 0]


def test_a_service_that_does_not_start_is_named_with_its_last_words(tmp_path: Path) -> None:
    shop = Shop(tmp_path, "http://127.0.0.1:9", {"PYTHONHOME": str(tmp_path / "nowhere")})

    with pytest.raises(ProgramError, match="gateway ended while starting:\n") as raised, shop:
        pytest.fail("it must not start")

    assert len(str(raised.value).splitlines()) > 1
    assert all(process.poll() is not None for process in shop.processes.values())
