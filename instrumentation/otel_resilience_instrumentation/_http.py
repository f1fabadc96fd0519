"""What all HTTP clients have in common: how an answer is judged, where a call goes, when it may be sent again."""

from __future__ import annotations

import math
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from otel_resilience import clock
from otel_resilience.errors import codes
from otel_resilience.errors.adopt import error_chain
from otel_resilience.errors.hop import HopKind
from otel_resilience.errors.reading import Reading
from otel_resilience.outcome import Verdict
from otel_resilience_instrumentation._settings import runtime

if TYPE_CHECKING:
    from otel_resilience.config.target import Target

IDEMPOTENCY_KEY = "Idempotency-Key"
NOT_IDEMPOTENT = "not_idempotent"

#: The ports of schemes where a URL names none.
PORTS = {"http": 80, "https": 443}


class Destination(NamedTuple):
    """Where a request goes, by its URL alone."""

    host: str
    port: int | None
    path: str


def destination(url: str) -> Destination:
    """The destination of ``url``. Raises ``ValueError`` for one that is none."""
    parts = urlsplit(url)
    return Destination(parts.hostname or "", parts.port or PORTS.get(parts.scheme.lower()), parts.path or "/")


def find(method: str, to: Destination, headers: Mapping[str, Any]) -> Target | None:
    """The ``Target`` that guards this request, ``None`` where nothing does."""
    if not to.host:
        return None
    return runtime().find_http(to.host, to.port, method.upper(), to.path, IDEMPOTENCY_KEY in headers)


def is_failure(status: int) -> bool:
    """Whether the dependency failed: 5xx and 429 say something of its health, other answers are answers."""
    return status >= 500 or status == 429


def read_response(response: Any, status: int, retry_after: str | None) -> Reading:
    """An answer that was returned."""
    if status < 400:
        return Reading(failed=False, verdict=Verdict.SUCCESS)
    code = f"HTTP_{status}"
    failed = is_failure(status)
    return Reading(
        failed=failed,
        verdict=Verdict.FAILURE if failed else Verdict.SUCCESS,
        code=code,
        error_type=str(status),
        kind=HopKind.REMOTE,
        retryable=code in codes.RETRYABLE,
        retry_after=seconds_until(retry_after),
        chain=error_chain(response),
    )


def seconds_until(retry_after: str | None) -> float | None:
    """A ``Retry-After`` as seconds from now, never below 0 (RFC 9110 section 10.2.3); ``None`` for none or nonsense."""
    if retry_after is None:
        return None
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        seconds = float(text)
        return seconds if math.isfinite(seconds) else None
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - clock.current().wall())
    except (TypeError, ValueError, OverflowError):
        return None
