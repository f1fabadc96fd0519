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


class _Ours(str):
    """A value that is on the user's headers while a request is sent, in the place of ``users``."""

    __slots__ = ("users",)
    users: Any


@contextmanager
def fields_on(headers: MutableMapping[str, Any], host: str | None) -> Iterator[dict[str, str]]:
    """The fields for ``host`` on the user's ``headers``, which are as they were afterwards.

    Several threads may send one request at once: each says its own, and none takes another's for the user's.
    """
    fields: dict[str, _Ours] = {name: _Ours(value) for name, value in request_fields(host).items()}
    for name, value in fields.items():
        known = headers.get(name)
        value.users = known.users if isinstance(known, _Ours) else known
    if CORRELATION_FIELD in fields and fields[CORRELATION_FIELD].users is not None:
        del fields[CORRELATION_FIELD]  # the application's own word
    headers.update(fields)
    try:
        yield dict(fields)
    finally:
        for name, value in fields.items():
            held = headers.get(name)
            if isinstance(held, _Ours) and held is not value:
                continue  # of another thread, which takes it away itself
            if value.users is None:
                headers.pop(name, None)
            else:
                headers[name] = value.users
