"""What opened a circuit, as attributes of its rejections and of its change of state."""

from __future__ import annotations

from opentelemetry.util.types import AttributeValue

from otel_resilience.events import Cause
from otel_resilience.telemetry import names


def cause_attributes(cause: Cause | None) -> dict[str, AttributeValue]:
    """The attributes of ``cause``, without those that are not known."""
    if cause is None:
        return {}
    attributes: dict[str, AttributeValue] = {names.CAUSE_CODE: cause.code}
    if cause.service is not None:
        attributes[names.CAUSE_SERVICE] = cause.service
    if cause.trace_id is not None:
        attributes[names.CAUSE_TRACE_ID] = cause.trace_id
    return attributes
