"""The correlation id as an attribute of what OpenTelemetry exports of ``logging``."""

from __future__ import annotations

import logging

from opentelemetry.instrumentation.logging.handler import LoggingHandler
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor

from otel_resilience import CorrelationManager
from otel_resilience.logs import CorrelationFilter

manager = CorrelationManager()


def test_the_id_arrives_as_an_attribute_of_the_exported_record() -> None:
    exporter = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]  # the SDK's own lack
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    handler = LoggingHandler(logger_provider=provider)
    handler.addFilter(CorrelationFilter())
    logger = logging.getLogger("shop.exported")
    logger.propagate = False
    logger.addHandler(handler)
    try:
        with manager.scope("order-42"):
            logger.warning("paid", extra={"amount": 3})
            logger.warning("mine", extra={"correlation_id": "mine"})
        logger.warning("outside")
    finally:
        logger.removeHandler(handler)
        provider.shutdown()
    exported = [each.log_record for each in exporter.get_finished_logs()]
    assert [(each.body, dict(each.attributes or {})) for each in exported] == [
        ("paid", {"amount": 3, "correlation_id": "order-42"}),
        ("mine", {"correlation_id": "mine"}),
        ("outside", {"correlation_id": ""}),
    ]
