"""The CLIENT span of one HTTP attempt, where no official instrumentation draws it (stable semantic conventions)."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from opentelemetry import propagate, trace
from opentelemetry.instrumentation.utils import suppress_http_instrumentation
from opentelemetry.trace import SpanKind, Status, StatusCode

from otel_resilience.classify import qualified_name
from otel_resilience.telemetry.names import SCOPE, VERSION
from otel_resilience_instrumentation._http import Destination

#: RFC 9110 section 9.3, RFC 5789, RFC 10008; others are ``_OTHER``, by the conventions.
_METHODS = frozenset(
    ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"]
)

#: Parameters that hold credentials, by the conventions for ``url.full``.
_SECRETS = frozenset({"AWSAccessKeyId", "Signature", "sig", "X-Goog-Signature"})


@contextmanager
def client_span(
    method: str, url: str, to: Destination, headers: MutableMapping[str, Any], *, attempt: int | None
) -> Iterator[trace.Span]:
    """A span that is current inside; the trace context goes into ``headers``.

    ``attempt``: which one of a guarded call, ``None`` for an unguarded one. HTTP instrumentation below is
    suppressed: one span an attempt.
    """
    known = method.strip().upper()
    known = known if known in _METHODS else "_OTHER"
    attributes: dict[str, Any] = {
        "http.request.method": known,
        "url.full": redacted(url),
        "server.address": to.host,
    }
    if known == "_OTHER":
        attributes["http.request.method_original"] = method
    if to.port is not None:
        attributes["server.port"] = to.port
    if attempt is not None:
        attributes["resilience.attempt.number"] = attempt
        if attempt > 1:
            attributes["http.request.resend_count"] = attempt - 1
    name = "HTTP" if known == "_OTHER" else known
    tracer = trace.get_tracer(SCOPE, VERSION)
    with tracer.start_as_current_span(
        name,
        kind=SpanKind.CLIENT,
        attributes=attributes,
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        propagate.inject(headers)
        try:
            with suppress_http_instrumentation():
                yield span
        except Exception as error:
            span.set_attribute("error.type", qualified_name(error))
            span.set_status(Status(StatusCode.ERROR))
            raise


def record_status(span: trace.Span, status: int) -> None:
    """How it was answered: to a client every status from 400 on is an error."""
    span.set_attribute("http.response.status_code", status)
    if status >= 400:
        span.set_attribute("error.type", str(status))
        span.set_status(Status(StatusCode.ERROR))


def redacted(url: str) -> str:
    """``url`` without what must not be seen: user and password, and the parameters known to hold credentials."""
    parts = urlsplit(url)
    location = parts.netloc
    if "@" in location:
        location = "REDACTED:REDACTED@" + location.rpartition("@")[2]
    query = parts.query
    if any(secret in query for secret in _SECRETS):
        pairs = parse_qsl(query, keep_blank_values=True)
        query = urlencode([(name, "REDACTED" if name in _SECRETS else value) for name, value in pairs])
    return urlunsplit((parts.scheme, location, parts.path, query, parts.fragment))
