"""A shop without policies, and a service of it whose policy file is broken: nothing is guarded, and the chain still arrives."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_resilience.cli.demo.fault import DATABASE_LOST
from otel_resilience.cli.demo.receiver import Receiver
from otel_resilience.cli.demo.traces import Trace
from tests.shop.customer import chain_on, check_out, entry_of, trace_of, wait_for
from tests.shop.restartable import RestartableShop

_SERVICES = ("ledger", "payments", "orders", "gateway")


@pytest.fixture
def shop(unguarded_shop: RestartableShop) -> Iterator[RestartableShop]:
    unguarded_shop.have("payments")
    return unguarded_shop


def lose_the_database(shop: RestartableShop, receiver: Receiver, count: int = 1) -> list[Trace]:
    """The traces of ``count`` checkouts for which the ledger has no database."""
    shop.begin(DATABASE_LOST)
    try:
        answers = [check_out(shop.ports["gateway"]) for _ in range(count)]
    finally:
        shop.end(DATABASE_LOST)
    assert [answer.status for answer in answers] == [502] * count
    return [trace_of(receiver, answer, *_SERVICES) for answer in answers]


def assert_told_but_not_guarded(trace: Trace) -> None:
    assert chain_on(entry_of(trace)) == [
        ("ledger", "DB_UNAVAILABLE"),
        ("payments", "UNAVAILABLE"),
        ("orders", "HTTP_503"),
        ("gateway", "HTTP_502"),
    ]
    assert {span.kind for span in trace.spans} == {"SERVER", "CLIENT"}
    for service in _SERVICES[1:]:
        assert len(trace.of(service=service, kind="CLIENT")) == 1  # sent once: nothing is retried


def test_without_a_file_the_chain_arrives_and_nothing_is_guarded(
    shop: RestartableShop, receiver: Receiver
) -> None:
    # More in a row than any breaker of the demo's own file would let pass.
    for trace in lose_the_database(shop, receiver, count=8):
        assert_told_but_not_guarded(trace)

    assert check_out(shop.ports["gateway"]).status == 200


_BROKEN = """services:
  ledger:
    match: ["127.0.0.1"]
    retry: {max_attempts: none}
"""


def test_a_broken_file_stops_nothing(shop: RestartableShop, receiver: Receiver, tmp_path: Path) -> None:
    file = tmp_path / "resilience.yaml"
    file.write_text(_BROKEN)

    shop.have("payments", OTEL_RESILIENCE_CONFIG=str(file))

    assert check_out(shop.ports["gateway"]).status == 200
    lines = [line for line in shop.log("payments").splitlines() if str(file) in line]
    assert len(lines) == 1
    assert f"{file}: line 4: services.ledger.retry.max_attempts" in lines[0]
    assert "nothing is guarded" in lines[0]
    (trace,) = lose_the_database(shop, receiver)
    assert_told_but_not_guarded(trace)


@pytest.mark.parametrize(
    ("text", "state"), [(_BROKEN, "invalid"), (_BROKEN.replace("none", "2"), "valid"), (None, "invalid")]
)
def test_the_state_of_the_file_arrives_as_a_metric(
    shop: RestartableShop, receiver: Receiver, tmp_path: Path, text: str | None, state: str
) -> None:
    file = tmp_path / "resilience.yaml"
    if text is not None:  # else it is missing, which is as bad
        file.write_text(text)
    known = len(receiver.telemetry.points)

    shop.have("payments", OTEL_RESILIENCE_CONFIG=str(file))

    def states() -> dict[str, float] | None:
        found = {
            point.attributes["resilience.config.state"]: point.value
            for point in receiver.telemetry.points[known:]
            if point.service == "payments" and point.name == "resilience.config.status"
        }
        # The process before may still have had a last word.
        return found if found.get(state) == 1 else None

    other = {"valid": "invalid", "invalid": "valid"}[state]
    assert wait_for(states) == {state: 1, other: 0}
