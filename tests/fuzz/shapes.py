"""What the inputs of each reader are made of."""

from __future__ import annotations

from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from tests.errors.chains import SPAN, TRACE
from tests.fuzz import bombs, grammars
from tests.fuzz.texts import Grammar, Shapes

#: Bytes of the largest bomb: a server reads no longer line of a header than this.
_HEADER = 65_536

#: Pieces of any structured field.
_FIELD = (
    *(";", "=", ",", ", ", " ", "\t", "(", ")", ":", "?", "@", "%", '"', "\\", "-", "*", "."),
    *("?0", "?1", "?2", "0", "-0", "1.5", "1.5555", "1" * 15, "1" * 16, "@1", "@-1", "@1.5", ":aGk=:", ":a:", ":=:"),
    *('"a"', '"a\\"b"', '"a\\b"', '%"b%c3%bc"', '%"%c3"', '%"%C3%BC"', "a", "A/b", "a.b", "a*", "_a", "é", "\x00"),
)  # fmt: skip

CHAIN = Shapes(
    grammar=grammars.CHAIN,
    pieces=(
        *('"ledger"', '"p"', '""', f'"{"x" * 64}"', f'"{"x" * 65}"', '%"b%c3%bccher"', '%"a%0ab"'),
        *(";c=C", ";c=HTTP_503", ";c=c", ';c="C"', ";c", f";c={'C' * 63}", f";c={'C' * 64}"),
        *(f';t="{TRACE}"', f';t="{"0" * 32}"', f';t="{TRACE.upper()}"', f';s="{SPAN}"', f';s="{SPAN}0"', ";s=1"),
        *(";r", ";e", ";r=?0", ";r=1", ';o="GET /"', ';v="1"', ';o=%"%c3%bc"', ";v=1"),
        *(";k=remote", ";k=local", ";k=odd", ";n=1", ";n=-1", ";n=1000001", ";zone=eu", ";w=(1 2)", ";x=1.5"),
        *(", ", ", ", ",", '"s";c=C', '"s";c=C, ', *_FIELD),
    ),
    bombs={**bombs.CHAINS, **bombs.FIELDS},
    largest=_HEADER,
)  # fmt: skip

REQUEST = Shapes(
    grammar=grammars.REQUEST,
    pieces=(
        *("deadline", "attempt", "chain", "priority", "a"),
        *("deadline=1", "attempt=2", "chain=?0", "chain=?1", "attempt=0", "deadline=-1", "deadline=999999999999999"),
        *(", ", ", ", "=", *_FIELD),
    ),
    bombs=bombs.FIELDS,
    largest=_HEADER,
)  # fmt: skip

CORRELATION = Shapes(
    grammar=grammars.CORRELATION,
    pieces=("a", "-", ".", "_", " ", "\n", "é", "x" * 128, "x" * 127, "%20", ","),
    bombs=bombs.FIELDS,
    largest=_HEADER,
)

BAGGAGE = Shapes(
    grammar=grammars.BAGGAGE,
    pieces=(
        "correlation.id",
        "correlation.id=",
        "=",
        ",",
        ";",
        "a=b",
        "%",
        "%4",
        "%41",
        "%00",
        " ",
        "\t",
        '"',
        "é",
    ),
    bombs=bombs.BAGGAGE,
    largest=_HEADER,
)

FORWARDED = Shapes(
    grammar=grammars.FORWARDED,
    pieces=(
        *("for=", "For=", "by=", "proto=http", "10.0.0.1", "8.8.8.8", "[::1]", "::1", "fe80::1%25eth0", "::ffff:10.0.0.1"),
        *("2130706433", "0x7f000001", "127.1", "localhost", "payments", ".svc", ".evil.com", "unix:", "ipv4:", "dns:", "://"),
        *(",", ", ", ";", "=", '"', "\\", "\\\\", "@", ":", ":80", "[", "]", ".", "%", "%5B", " ", "\t", "-", "unknown", "é"),
    ),
    bombs=bombs.FORWARDED,
    largest=_HEADER,
)  # fmt: skip


def _status(*details: ErrorInfo | RetryInfo, message: str = "bad") -> str:
    status = Status(code=13, message=message)
    for detail in details:
        packed = AnyMessage()
        packed.Pack(detail)
        status.details.append(packed)
    return status.SerializeToString().decode("latin-1")


_STATUSES = [
    _status(RetryInfo(), ErrorInfo(reason="OUT_OF_STOCK", domain="shop.com", metadata={"sku": "17"})),
    _status(ErrorInfo(reason="X", domain="d" * 300), message="ü" * 20),
    _status(ErrorInfo(reason="C" * 63, domain="bücher")),
    _status(ErrorInfo(reason="not a code", domain="shop.com"), ErrorInfo(reason="B", domain="\x00")),
    _status(),
]

#: Bytes, each as the character of that number.
ERROR_INFO = Shapes(
    grammar=Grammar({"start": _STATUSES}),
    pieces=(
        *("\x08", "\x0a", "\x12", "\x1a", "\x09", "\x0d", "\x0b", "\x0f", "\x00", "\x01", "\x05", "\x7f", "\x80", "\xff"),
        *("\xff" * 10, "\x80" * 20, "\x1a\x00", "\x1a\xff\xff\xff\xff\x0f", "type.googleapis.com/google.rpc.ErrorInfo"),
        *("\x0a\x0cOUT_OF_STOCK", "\x12\x08shop.com", "\x0a(type.googleapis.com/google.rpc.ErrorInfo"),
    ),
    bombs=bombs.STATUSES,
    largest=2 * 8192,
)  # fmt: skip

PROBLEM = Shapes(
    grammar=grammars.PROBLEM,
    pieces=(
        *("{", "}", "[", "]", '"', ":", ",", "code", '"code"', '"code":', '"OUT_OF_STOCK"', '"A"', "null", "true", "1e9999"),
        *("NaN", "-", "9" * 5000, "0.1", "\\", "\\u", "\\ud800", "\x00", "\ufeff", "\ud800", "é", " ", "\n", "[[[[", '{"a":'),
    ),
    bombs=bombs.PROBLEMS,
    largest=2 * 65_536,
)  # fmt: skip

RETRY_AFTER = Shapes(
    grammar=grammars.RETRY_AFTER,
    pieces=(
        *("Tue", "Tue,", " ", "14", "Nov", "2023", "22:13:30", "22.13.30", "22:13", "GMT", "+0000", "-0000", "+9999", "-"),
        *("0", "9", "99999999999", "1e5", "٣", "\xb2", "(", ")", ",", ":", ".", "am", "EST", "0001", "9999", "-0001", "\t"),
    ),
    bombs=bombs.RETRY_AFTER,
    largest=_HEADER,
)  # fmt: skip
