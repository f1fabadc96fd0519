"""How answers over HTTP are read, whichever client got them, and which requests may be sent twice."""

from __future__ import annotations

import math
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from otel_resilience import clock
from otel_resilience.errors import codes
from otel_resilience.errors.adopt import error_chain
from otel_resilience.errors.hop import HopKind
from otel_resilience.errors.reading import Reading
from otel_resilience.outcome import Verdict

#: Methods that may be sent twice by their definition (RFC 9110, section 9.2.2), without TRACE, which nobody guards.
IDEMPOTENT_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
IDEMPOTENCY_KEY = "Idempotency-Key"


def is_idempotent(operation: str) -> bool:
    """Whether ``operation``, written ``METHOD /path``, may be sent twice by its method."""
    method, space, _ = operation.partition(" ")
    return bool(space) and method.upper() in IDEMPOTENT_METHODS


def may_be_repeated(method: str, headers: Mapping[str, Any]) -> bool:
    """Whether a request may be sent twice: by its method, or by the key that it carries."""
    return method.upper() in IDEMPOTENT_METHODS or IDEMPOTENCY_KEY in headers


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
