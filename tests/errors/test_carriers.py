"""Golden chains through everything that carries them: asserted, carried, read, and asserted again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from http.client import HTTPMessage
from typing import Any
from wsgiref.headers import Headers

import httpx
import pytest
from requests.structures import CaseInsensitiveDict
from urllib3 import HTTPHeaderDict
from werkzeug.datastructures import Headers as WerkzeugHeaders

from otel_resilience import DomainError, ErrorChain, ErrorPropagator, RemoteError, error_chain
from otel_resilience.errors.adopt import attach
from otel_resilience.errors.codecs.carriers import get_field
from otel_resilience.errors.codecs.error_chain import decode, encode
from otel_resilience.events import FieldDiscarded
from otel_resilience.testing import Recorder
from tests.errors.chains import Golden, golden, meaning

Lines = Sequence[str]
Carry = Callable[[Lines], Any]


def _headers(kind: Callable[[], Any]) -> Carry:
    """Into headers of ``kind``, to which repeated lines can be added."""

    def carry(lines: Lines) -> Any:
        headers = kind()
        for name, value in [("Content-Type", "text/plain"), *(("Error-Chain", line) for line in lines)]:
            add = getattr(headers, "add", None) or getattr(headers, "add_header")  # noqa: B009 — beside the other name
            add(name, value)
        return headers

    return carry


#: Each takes the lines of a field, of which a transport may make one.
CARRIERS: dict[str, Carry] = {
    # HTTP: names in any case; a field may be on several lines
    "requests": lambda lines: CaseInsensitiveDict({"ERROR-CHAIN": ", ".join(lines)}),
    "httpx": lambda lines: httpx.Headers([("Error-Chain", line) for line in lines]),
    "urllib3": _headers(HTTPHeaderDict),
    "http.client": _headers(HTTPMessage),
    "wsgiref": _headers(Headers),
    "werkzeug": _headers(WerkzeugHeaders),
    "raw header lines": lambda lines: [(b"Host", b"x"), *((b"Error-Chain", line.encode()) for line in lines)],
    # gRPC: pairs in lower case, binary ones among them
    "grpc metadata": lambda lines: (("a-bin", b"\xff\x00"), *(("error-chain", line) for line in lines)),
    # queues
    "plain dict": lambda lines: {"other": "x", "error-chain": ", ".join(lines)},
    "kafka": lambda lines: [("other", None), *(("error-chain", line.encode()) for line in lines)],
    "amqp": lambda lines: {"x-death": [{"count": 1}], "error-chain": ", ".join(lines).encode()},
    "nats": lambda lines: {"Nats-Msg-Id": ["7"], "Error-Chain": list(lines)},
}
each_carrier = pytest.mark.parametrize("carry", CARRIERS.values(), ids=CARRIERS)
each_chain = pytest.mark.parametrize("block", golden(), ids=lambda block: block.name)


def lines(chain: ErrorChain) -> Lines:
    """A line for each hop, as a transport may divide a List (RFC 9110 section 5.3)."""
    return [encode(ErrorChain((hop,), chain.omitted if hop is chain.root else 0)) for hop in chain.hops]


@each_chain
@each_carrier
def test_a_field_is_found_whole(carry: Carry, block: Golden) -> None:
    assert get_field(carry([block.text]), "error-chain") == block.text
    assert get_field(carry(lines(decode(block.text))), "error-chain") == block.text
    assert get_field(carry([block.text]), "resilience") is None


@each_chain
@each_carrier
def test_a_chain_means_the_same_on_the_other_side(carry: Carry, block: Golden) -> None:
    sent = decode(block.text)
    assert meaning(sent) == block.meaning
    error = DomainError("CARRIER")
    attach(error, sent)
    carrier: dict[str, str] = {}
    ErrorPropagator("orders").inject(error, carrier)

    received = ErrorPropagator("gateway").extract(carry([carrier["error-chain"]]))

    assert received == sent
    assert meaning(received) == block.meaning
    assert ErrorPropagator("gateway").extract(carry(lines(received))) == sent


@each_chain
@each_carrier
def test_a_hop_later_everything_that_came_is_sent_on(carry: Carry, block: Golden) -> None:
    """Parameters of a later version too, through ``propagate``."""
    received = ErrorPropagator("gateway", "2.0").extract(carry([block.text]))
    assert received is not None
    error = ErrorPropagator("gateway", "2.0").propagate(RemoteError(received), operation="GET /")
    carrier: dict[str, str] = {}
    ErrorPropagator("gateway").inject(error, carrier)

    assert carrier["error-chain"].startswith(block.text + ', "gateway";c=')
    sent_on = ErrorPropagator("edge").extract(carry([carrier["error-chain"]]))
    assert sent_on is not None
    assert sent_on.hops[:-1] == received.hops
    assert (sent_on.hops[-1].service, sent_on.omitted) == ("gateway", received.omitted)
    assert error_chain(error).hops[:-1] == received.hops  # type: ignore[union-attr]  # it was propagated


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (['"s";c=C'] * 9, "malformed"),
        (['"s";c=C, "p";c=C'] * 5, "malformed"),
        (['"s";c=C', ""], "malformed"),
        (['"s";c=C', '"p";c=C,'], "malformed"),
        (['"s";c=C;n=1'] * 2, "malformed"),
        (['"s";c=C;x="', '"'], None),  # a String in which a comma was: joined, it is one again
        (['"s";c=C;o="' + "x" * 1000 + '"'] * 3, "oversized"),
        (['"s";c=C'] * 1000, "oversized"),
    ],
)
@each_carrier
def test_repeated_lines_are_one_chain_or_refused_and_counted(
    carry: Carry, lines: Lines, reason: str | None
) -> None:
    with Recorder() as recorder:
        chain = ErrorPropagator("gateway").extract(carry(lines))
    assert [(event.name, event.reason) for event in recorder.of(FieldDiscarded)] == (
        [] if reason is None else [("error-chain", reason)]
    )
    assert (chain is None) == (reason is not None)


@pytest.mark.parametrize(
    "carrier", [None, {}, [], (), {"error-chain": None}, {"error-chain": []}, [("error-chain", None)], [None, 7, "ab"]]
)  # fmt: skip
def test_a_message_without_headers_carries_nothing(carrier: Any) -> None:
    with Recorder() as recorder:
        assert ErrorPropagator("gateway").extract(carrier) is None
    assert recorder.of(FieldDiscarded) == []
