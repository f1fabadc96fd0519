"""The customer, who checks out again and again while the shop is healthy, failing and recovered."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from otel_resilience.cli.demo.plan import Plan
from otel_resilience.cli.demo.processes import Shop

_PATIENCE = 30.0


class Phase(StrEnum):
    """The three parts of the demo, in order."""

    HEALTHY = "healthy"
    FAILING = "failing"
    RECOVERED = "recovered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """One request of the customer. ``status`` is ``None`` where no answer came; times in Unix nanoseconds."""

    phase: Phase
    number: int
    correlation_id: str
    status: int | None
    started: int
    ended: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """All checkouts, and how long the failing phase went on after the call that is to open the circuit (seconds)."""

    checkouts: tuple[Checkout, ...]
    failing_after_opening: float


Progress = Callable[[Phase, int, int], None]
Waiting = Callable[[float], None]


def visit(shop: Shop, plan: Plan, progress: Progress, waiting: Waiting) -> Visit:
    """Go through the three phases.

    ``progress`` hears of each checkout, ``waiting`` of the seconds until the third begins.
    """
    checkouts: list[Checkout] = []

    def check_out(phase: Phase, count: int) -> None:
        for number in range(1, count + 1):
            checkouts.append(_check_out(shop.ports["gateway"], phase, number))
            progress(phase, number, count)

    check_out(Phase.HEALTHY, plan.healthy.total)
    shop.begin(plan.fault)
    try:
        check_out(Phase.FAILING, plan.failing.total)
    finally:
        shop.end(plan.fault)
    after_opening = 0.0
    if plan.opens:
        failing = [checkout for checkout in checkouts if checkout.phase is Phase.FAILING]
        after_opening = (time.time_ns() - failing[plan.failing.failures - 1].ended) / 1e9
        # The circuit opened before the customer had this answer, so waiting from here is never too short.
        remaining = max(0.0, plan.policies.longest_open - after_opening)
        waiting(remaining)
        time.sleep(remaining)
    check_out(Phase.RECOVERED, plan.recovered.total)
    return Visit(checkouts=tuple(checkouts), failing_after_opening=after_opening)


def _check_out(port: int, phase: Phase, number: int) -> Checkout:
    correlation_id = f"{phase}-{number}"
    body = json.dumps({"account": "alice", "amount": 5})
    headers = {"content-type": "application/json", "x-correlation-id": correlation_id}
    # Not through requests or urllib: no proxy of the environment may stand between the customer and the shop.
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
    started = time.time_ns()
    status: int | None = None
    try:
        connection.request("POST", "/checkout", body, headers)
        response = connection.getresponse()
        response.read()
        status = response.status
    except (OSError, http.client.HTTPException):
        pass  # no answer is an answer too: the status says so
    finally:
        connection.close()
    return Checkout(
        phase=phase,
        number=number,
        correlation_id=correlation_id,
        status=status,
        started=started,
        ended=time.time_ns(),
    )
