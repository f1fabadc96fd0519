"""``redact(hop)``: what the user does not want to be seen is neither sent nor recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from otel_resilience import ConfigurationError, ErrorChain, ErrorPropagator, Hop, RemoteError, error_chain
from otel_resilience.errors.adopt import attach
from otel_resilience.errors.failed_call import FailedCall
from otel_resilience.errors.redaction import redacted, use_redactor
from otel_resilience.events import Cause

LEDGER = Hop(service="ledger", code="DB_UNAVAILABLE", operation="POST /accounts/{id}", trace_id="a" * 32)
CHAIN = ErrorChain((LEDGER, Hop(service="payments", code="HTTP_503")), omitted=1)

Use = Callable[[Callable[[Hop], Hop | None]], object]


@pytest.fixture
def use() -> Iterator[Use]:
    before = use_redactor(None)
    yield use_redactor
    use_redactor(before)


def without_operation(hop: Hop) -> Hop:
    return replace(hop, operation=None)


def without_the_ledger(hop: Hop) -> Hop | None:
    return None if hop.service == "ledger" else hop


def failing(hop: Hop) -> Hop | None:
    raise LookupError(hop.service)


def test_without_one_a_chain_is_seen_as_it_is(use: Use) -> None:
    assert redacted(CHAIN) is CHAIN


def test_a_hop_may_say_less(use: Use) -> None:
    use(without_operation)
    seen = redacted(CHAIN)
    assert seen is not None
    assert (seen.root, seen.omitted) == (replace(LEDGER, operation=None), 1)


def test_a_hop_that_is_left_out_is_counted(use: Use) -> None:
    use(without_the_ledger)
    seen = redacted(CHAIN)
    assert seen is not None
    assert (seen.services_involved, seen.omitted) == (("payments",), 2)


def test_what_is_left_out_still_decides_on_retries(use: Use) -> None:
    use(without_the_ledger)
    retryable = ErrorChain((replace(LEDGER, retryable=True), Hop(service="payments", code="HTTP_503")))
    seen = redacted(retryable)
    assert seen is not None
    assert seen.retryable
    assert not seen.exhausted
    given_up = ErrorChain(
        (
            Hop(service="stock", code="CONNECT_FAILED", retryable=True),
            replace(LEDGER, exhausted=True),
            Hop(service="payments", code="HTTP_503"),
        )
    )
    seen = redacted(given_up)
    assert seen is not None
    assert seen.services_involved == ("stock", "payments")
    assert seen.exhausted
    assert not redacted(ErrorChain((LEDGER, Hop(service="payments", code="HTTP_503")))).retryable  # type: ignore[union-attr]  # as above


def test_a_hook_may_say_that_nobody_has_given_up(use: Use) -> None:
    use(lambda hop: replace(hop, exhausted=False, retryable=False))
    seen = redacted(ErrorChain.of(replace(LEDGER, exhausted=True, retryable=True)))
    assert seen is not None
    assert (seen.exhausted, seen.retryable) == (False, False)


@pytest.mark.parametrize("redact", [lambda hop: None, failing, lambda hop: hop.service])
def test_nothing_is_seen_where_nothing_is_left_or_the_hiding_fails(
    use: Use, redact: Callable[[Hop], Hop | None]
) -> None:
    use(redact)
    assert redacted(CHAIN) is None
    carrier: dict[str, str] = {}
    error = OSError()
    attach(error, CHAIN)
    ErrorPropagator("orders").inject(error, carrier)
    assert carrier == {}
    assert "ledger" not in str(RemoteError(CHAIN))
    assert FailedCall(code="HTTP_503", received=CHAIN).cause() == Cause(service=None, code="HTTP_503")
    assert FailedCall(code="OWN_SECRET").cause() == Cause(service=None, code="INTERNAL")


def test_what_goes_into_a_carrier_and_into_messages_is_redacted_and_the_process_itself_knows(
    use: Use,
) -> None:
    use(without_the_ledger)
    error = RemoteError(CHAIN)
    carrier: dict[str, str] = {}
    ErrorPropagator("orders").inject(error, carrier)
    assert carrier["error-chain"] == '"payments";c=HTTP_503;n=2'
    assert "ledger" not in str(error)
    assert FailedCall(code="HTTP_503", received=CHAIN).cause().service == "payments"
    assert error_chain(error) is CHAIN


def test_what_cannot_be_called_is_one_clear_error() -> None:
    with pytest.raises(ConfigurationError, match="redact must be a function of one hop, got 'no'"):
        use_redactor("no")  # type: ignore[arg-type]  # what is tested
