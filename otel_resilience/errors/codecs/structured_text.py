"""Structured Field Values for HTTP (RFC 9651) as text: the serialiser to the parser in ``structured_field``."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Context, Decimal

from otel_resilience.errors.codecs.structured_field import (
    BareItem,
    Date,
    DisplayString,
    StructuredFieldError,
    Token,
)

_KEY = re.compile(r"[a-z*][a-z0-9_\-.*]*")
_TOKEN = re.compile(r"[A-Za-z*][A-Za-z0-9!#$%&'*+\-.^_`|~:/]*")
_STRING = re.compile(r"[\x20-\x7e]*")
_THOUSANDTH, _LARGEST_DECIMAL = Decimal("0.001"), Decimal("999999999999.999")
# Of our own: the application's may have few digits, or take every rounding for an error.
_ROUNDING = Context(prec=28, rounding=ROUND_HALF_EVEN, traps=[])
_ENCODED = re.compile(rb"[^\x20\x21\x23\x24\x26-\x7e]")


def key(name: str) -> str:
    """A key. Raises ``StructuredFieldError`` where ``name`` cannot be one."""
    if _KEY.fullmatch(name) is None:
        raise StructuredFieldError(f"not a key: {name!r}")
    return name


def text(value: str) -> str:
    """A String where ``value`` is printable ASCII, else a Display String."""
    return bare_item(value) if _STRING.fullmatch(value) else bare_item(DisplayString(value))


def parameters(values: Mapping[str, BareItem]) -> str:
    """Parameters in their order; one that is true is its key alone."""
    return "".join(
        f";{key(name)}" if value is True else f";{key(name)}={bare_item(value)}"
        for name, value in values.items()
    )


def bare_item(value: BareItem) -> str:
    """A bare item (section 4.1.3.1). Raises ``StructuredFieldError`` for what none can hold."""
    if isinstance(value, bool):
        return "?1" if value else "?0"
    if isinstance(value, Date):
        return f"@{_integer(value)}"
    if isinstance(value, int):
        return _integer(value)
    if isinstance(value, Decimal):
        return _decimal(value)
    if isinstance(value, bytes):
        return f":{base64.b64encode(value).decode()}:"
    if isinstance(value, DisplayString):
        return _display_string(value)
    if not isinstance(value, str):
        raise StructuredFieldError(f"no field holds a {type(value).__name__}")
    pattern = _TOKEN if isinstance(value, Token) else _STRING
    if pattern.fullmatch(value) is None:
        raise StructuredFieldError(f"not a {'token' if pattern is _TOKEN else 'string'}: {value!r}")
    return str(value) if pattern is _TOKEN else '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _integer(value: int) -> str:
    if abs(value) >= 10**15:
        raise StructuredFieldError(f"an integer has at most 15 digits: {value}")
    return str(int(value))


def _decimal(value: Decimal) -> str:
    rounded = value.quantize(_THOUSANDTH, context=_ROUNDING)  # NaN where it has too many digits
    if not rounded.is_finite() or rounded.copy_abs() > _LARGEST_DECIMAL:
        raise StructuredFieldError(f"a decimal has at most 12 digits before the dot: {value}")
    digits = (
        f"{rounded:f}".rstrip("0") if rounded else "0."
    )  # without a sign: section 4.1.5 asks for one below zero
    return digits + "0" if digits.endswith(".") else digits


def _display_string(value: str) -> str:
    try:
        encoded = value.encode()
    except UnicodeEncodeError:
        raise StructuredFieldError("a lone surrogate is no text") from None
    return '%"' + _ENCODED.sub(lambda match: b"%%%02x" % match.group()[0], encoded).decode() + '"'
