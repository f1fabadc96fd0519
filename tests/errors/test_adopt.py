"""Finding the chain of whatever a user holds."""

from __future__ import annotations

from typing import Any

import pytest

from otel_resilience import DomainError, ErrorChain, ErrorPropagator, Hop, RemoteError, error_chain
from otel_resilience.errors.adopt import attach, is_exhausted, mark_exhausted

CHAIN = ErrorChain.of(Hop(service="ledger", code="DB_UNAVAILABLE"))


def carrying() -> OSError:
    error = OSError()
    attach(error, CHAIN)
    return error


def test_an_error_never_propagated_has_none() -> None:
    assert error_chain(OSError()) is None
    assert error_chain(None) is None
    assert error_chain("text") is None


def test_found_on_the_error_its_cause_its_context_and_in_groups() -> None:
    assert error_chain(carrying()) is CHAIN
    with pytest.raises(KeyError) as caused:
        raise KeyError from carrying()
    assert error_chain(caused.value) is CHAIN
    try:
        try:
            raise carrying()
        except OSError:
            raise KeyError  # noqa: B904 — the context is what is tested
    except KeyError as error:
        assert error_chain(error) is CHAIN
    assert (
        error_chain(ExceptionGroup("several", [KeyError(), ExceptionGroup("inner", [carrying()])])) is CHAIN
    )


def test_a_suppressed_context_does_not_count() -> None:
    try:
        try:
            raise carrying()
        except OSError:
            raise KeyError from None
    except KeyError as error:
        assert error_chain(error) is None


def test_found_on_the_response_of_an_error() -> None:
    class Response:
        pass

    class HTTPError(Exception):
        def __init__(self, response: Response) -> None:
            self.response = response

    response = Response()
    attach(response, CHAIN)
    assert error_chain(HTTPError(response)) is CHAIN
    assert error_chain(response) is CHAIN


def test_cycles_end() -> None:
    one, two = KeyError(), ValueError()
    one.__cause__, two.__cause__ = two, one
    assert error_chain(one) is None
    assert not is_exhausted(one)


def test_what_has_no_place_for_a_note_is_left_alone() -> None:
    attach(42, CHAIN)
    mark_exhausted(object())
    assert error_chain(42) is None


def test_a_retry_given_up_on_is_known_by_what_was_raised_from_it_but_not_by_what_came_after() -> None:
    spent = OSError()
    mark_exhausted(spent)
    wrapped = KeyError()
    wrapped.__cause__ = spent
    later = KeyError()
    later.__context__ = spent
    assert (is_exhausted(spent), is_exhausted(wrapped), is_exhausted(later)) == (True, True, False)


def test_each_propagation_adds_a_hop_to_the_same_error() -> None:
    error = DomainError("OUT_OF_STOCK", retryable=True)
    assert ErrorPropagator("stock", "1.2").propagate(error, operation="reserve") is error
    ErrorPropagator("orders").propagate(error)
    chain = error_chain(error)
    assert chain is not None
    assert chain.services_involved == ("stock", "orders")
    assert (chain.root_cause_code, chain.chain_length, chain.retryable) == ("OUT_OF_STOCK", 2, True)
    assert (chain.root.operation, chain.root.version) == ("reserve", "1.2")
    assert chain.root.timestamp is not None


def test_a_chain_goes_through_any_mapping_of_strings() -> None:
    error = ErrorPropagator("stock").propagate(DomainError("OUT_OF_STOCK"))
    carrier: dict[str, str] = {}
    ErrorPropagator("stock").inject(error, carrier)
    received = ErrorPropagator("orders").extract({key.upper(): value for key, value in carrier.items()})
    assert received is not None
    raised = RemoteError(received)
    assert error_chain(raised) is received
    assert (raised.error_code, raised.retryable) == ("OUT_OF_STOCK", False)
    assert received.root.timestamp is None


def test_who_has_given_up_says_so_and_what_decides_is_said_by_the_root_alone() -> None:
    failure = DomainError("BUSY", "later", retryable=True)
    mark_exhausted(failure)
    ErrorPropagator("ledger").propagate(failure)
    ErrorPropagator("payments").propagate(failure)
    carrier: dict[str, str] = {}
    ErrorPropagator("payments").inject(failure, carrier)
    assert carrier["error-chain"] == '"ledger";c=BUSY;r;e, "payments";c=BUSY;e'


def test_a_message_without_headers_has_none() -> None:
    assert ErrorPropagator().extract(None) is None


def test_a_garbled_carrier_is_ignored() -> None:
    assert ErrorPropagator("orders").extract({"error-chain": '"unclosed'}) is None
    assert ErrorPropagator("orders").extract({}) is None


def test_a_carrier_without_a_chain_makes_no_remote_error() -> None:
    nothing: Any = ErrorPropagator("orders").extract({})
    with pytest.raises(TypeError, match="of a carrier that had one, got None"):
        RemoteError(nothing)
