"""``google.rpc.ErrorInfo`` in a status's details: read by hand, as its messages may not be installed.

``grpc-status-details-bin`` holds a ``google.rpc.Status``: its field 3 is a list of ``Any``, each with a type
URL (1) and a value (2). An ``ErrorInfo`` has a reason (1) and a domain (2). Only length-delimited fields
matter; others are passed over.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from otel_resilience.exceptions import is_code

KEY = "grpc-status-details-bin"
_TYPE = "type.googleapis.com/google.rpc.ErrorInfo"

#: Bytes, and pairs: more than gRPC itself lets through unless it is told to.
_LARGEST = 8192
_MOST_PAIRS = 256

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class ErrorInfo(NamedTuple):
    """Why (a code) and whose (a service or its domain)."""

    reason: str
    domain: str


def find(metadata: Iterable[Any] | None) -> ErrorInfo | None:
    """The first ``ErrorInfo`` with a reason that is a code; ``None`` for none, or what cannot be read.

    Never raises.
    """
    for pair in itertools.islice(metadata or (), _MOST_PAIRS):
        if not (isinstance(pair, tuple | list) and len(pair) == 2 and pair[0] == KEY):
            continue
        if isinstance(pair[1], bytes) and len(pair[1]) <= _LARGEST:
            try:
                return _of_status(pair[1])
            except (ValueError, IndexError):
                return None
    return None


def reason(metadata: Iterable[Any] | None) -> str | None:
    """The reason alone."""
    found = find(metadata)
    return None if found is None else found.reason


def _of_status(status: bytes) -> ErrorInfo | None:
    for number, detail in _fields(status):
        if number != 3:
            continue
        parts = dict(_fields(detail))
        if parts.get(1, b"").decode() == _TYPE:
            info = dict(_fields(parts.get(2, b"")))
            said = info.get(1, b"").decode()
            if is_code(said):
                return ErrorInfo(said, info.get(2, b"").decode())
    return None


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        kind = key & 7
        if kind == _BYTES:
            length, at = _varint(message, at)
            if at + length > len(message):
                raise ValueError("a field is longer than its message")
            yield key >> 3, message[at : at + length]
            at += length
        elif kind == _VARINT:
            _, at = _varint(message, at)
        elif kind in (_FIXED64, _FIXED32):
            at += 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(f"wire type {kind} is not in use")


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 64:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise ValueError("a number of more than 64 bits")
