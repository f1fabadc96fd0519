"""Where fields lie: HTTP headers, gRPC metadata, the headers of a message in a queue."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

REQUEST_FIELD = "resilience"
CHAIN_FIELD = "error-chain"
CORRELATION_FIELD = "x-correlation-id"

_CORRELATION_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


def get_field(carrier: Mapping[str, Any] | Iterable[tuple[str, Any]], name: str) -> str | None:
    """The field ``name`` of a mapping or of pairs, whatever the case of its key; ``None`` where it is missing.

    Repeated ones are joined by ", " as one list (RFC 9110 section 5.3). ``bytes`` are read as Latin-1, what is no text is passed over.
    """
    pairs = carrier.items() if isinstance(carrier, Mapping) else carrier
    values = [_text(value) for key, value in pairs if isinstance(key, str) and key.lower() == name]
    found = [value for value in values if value is not None]
    return ", ".join(found) if found else None


def valid_correlation_id(text: str) -> bool:
    """Whether ``text`` may be taken over as a correlation id."""
    return _CORRELATION_ID.fullmatch(text) is not None


def _text(value: object) -> str | None:
    if isinstance(value, str):
        return value
    return value.decode("latin-1") if isinstance(value, bytes) else None
