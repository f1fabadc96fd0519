"""A peer without our plugin that tells its error as ``application/problem+json`` (RFC 9457): the root of a chain."""

from __future__ import annotations

import json

from otel_resilience.errors import codes
from otel_resilience.errors.chain import ErrorChain
from otel_resilience.errors.hop import Hop
from otel_resilience.exceptions import is_code
from otel_resilience_instrumentation._settings import runtime

#: Bytes. A problem is a small document; a larger one is somebody's page.
_LARGEST = 64 * 1024


def problem_chain(
    *, service: str, host: str | None, status: int, content_type: str | None, body: bytes
) -> ErrorChain | None:
    """The chain that begins with ``service``, the policy entry of the peer at ``host``; ``None`` where it tells no problem.

    Its code is the document's member ``code`` where that is one, else the status. Whether another try may
    help is said by the status, as for every answer without a chain of its own.
    """
    media_type = (content_type or "").partition(";")[0].strip().lower()
    if media_type != "application/problem+json" or not runtime().exchanges_with(host):
        return None
    by_status = f"HTTP_{status}"
    code = _code(body) or by_status
    retryable = code in codes.RETRYABLE or by_status in codes.RETRYABLE
    return ErrorChain.of(Hop(service=service, code=code, retryable=retryable))


def _code(body: bytes) -> str | None:
    if len(body) > _LARGEST:
        return None
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    code = document.get("code") if isinstance(document, dict) else None
    return str(code) if is_code(code) else None
