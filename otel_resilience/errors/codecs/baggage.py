"""``baggage`` (W3C): the correlation id that somebody put into it. Only read; to carry baggage on is OpenTelemetry's matter.

Read by hand, as the propagator of OpenTelemetry's API takes time by the square of the spaces in it: 50 ms for one field.
"""

from __future__ import annotations

from urllib.parse import unquote

from otel_resilience.errors.codecs.carriers import valid_correlation_id

KEY = "correlation.id"
_LARGEST = 8192  # bytes that the specification asks everybody to carry


def correlation_id(text: str) -> str | None:
    """The last valid id in a ``baggage`` field; ``None`` for none, or a field of more than 8 KiB."""
    if len(text) > _LARGEST or KEY not in text:
        return None
    for member in reversed(text.split(",")):
        pair, _, _ = member.partition(";")  # properties follow
        key, _, value = pair.partition("=")
        carried = unquote(value.strip(" \t"))
        if key.strip(" \t") == KEY and valid_correlation_id(carried):
            return carried
    return None
