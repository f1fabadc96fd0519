"""Where fields lie: HTTP headers, gRPC metadata, the headers of a message in a queue."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

REQUEST_FIELD = "resilience"
CHAIN_FIELD = "error-chain"
CORRELATION_FIELD = "x-correlation-id"

_CORRELATION_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")

#: A mapping, anything else with ``items()`` (the headers of ``http.client``), or pairs; ``None`` where a message has no headers.
Carrier: TypeAlias = Mapping[Any, Any] | Iterable[Any] | None


def get_field(carrier: Carrier, name: str) -> str | None:
    """The field ``name`` (in lower case) of a mapping or of pairs, whatever the case of its key; ``None`` where it is missing.

    Repeated ones, also several values of one key, are joined by ", " as one list (RFC 9110 section 5.3).
    ``bytes`` are read as Latin-1, keys too; what is no text and no pair is passed over.
    """
    if carrier is None:
        return None
    found: list[str] = []
    for pair in carrier.items() if hasattr(carrier, "items") else carrier:
        if not (isinstance(pair, tuple | list) and len(pair) == 2):
            continue
        key = _text(pair[0])
        if key is not None and key.lower() == name:
            values = pair[1] if isinstance(pair[1], tuple | list) else (pair[1],)
            found += [text for text in map(_text, values) if text is not None]
    return ", ".join(found) if found else None


def valid_correlation_id(text: str) -> bool:
    """Whether ``text`` may be taken over as a correlation id."""
    return _CORRELATION_ID.fullmatch(text) is not None


def _text(value: object) -> str | None:
    if isinstance(value, str):
        return value
    return value.decode("latin-1") if isinstance(value, bytes) else None
