"""What goes out with a call: the request fields, to hosts inside the boundary only."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

from otel_resilience.context import attempt, correlation
from otel_resilience.context import deadline as deadlines
from otel_resilience.errors.codecs.carriers import CORRELATION_FIELD, REQUEST_FIELD
from otel_resilience.errors.codecs.request_field import RequestField, encode
from otel_resilience_instrumentation._settings import runtime


def request_fields(host: str | None, *, deadline: bool = True) -> dict[str, str]:
    """The fields for a call that is made now to ``host``, the host of the URL or target; empty where it is outside.

    Names are in lower case, as gRPC wants its metadata. ``deadline=False`` where the transport has a deadline
    of its own. Made anew for each attempt and each redirect.
    """
    if not runtime().exchanges_with(host):
        return {}
    current = attempt.current()
    fields = {
        REQUEST_FIELD: encode(
            RequestField(
                deadline=deadlines.remaining() if deadline else None,
                attempt=None if current is None else current.number,
                chain=True,
            )
        )
    }
    correlation_id = correlation.current()
    if correlation_id is not None:
        fields[CORRELATION_FIELD] = correlation_id
    return fields


@contextmanager
def fields_on(headers: MutableMapping[str, Any], host: str | None) -> Iterator[dict[str, str]]:
    """The fields for ``host`` on the user's ``headers``, which are as they were afterwards."""
    fields = request_fields(host)
    if CORRELATION_FIELD in headers:
        fields.pop(CORRELATION_FIELD, None)  # the application's own word
    before = {name: headers.get(name) for name in fields}
    headers.update(fields)
    try:
        yield fields
    finally:
        for name, value in before.items():
            if value is None:
                headers.pop(name, None)
            else:
                headers[name] = value
