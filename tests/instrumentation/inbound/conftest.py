"""This service is called payments, and its clock stands still."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from otel_resilience.context.service import Service, use
from otel_resilience.telemetry.service import find_service
from otel_resilience.testing import ManualClock
from tests.instrumentation.inbound.answering import Settings


@pytest.fixture(autouse=True)
def this_service(settings: Settings) -> Iterator[None]:
    settings()
    use(lambda: Service("payments", "1.4"))
    with ManualClock():
        yield
    use(find_service)
