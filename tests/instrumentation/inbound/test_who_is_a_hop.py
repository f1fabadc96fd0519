"""Which answers begin a chain, pass one on, or are none."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest
import requests

from otel_resilience import DomainError
from otel_resilience.errors.adopt import attach, mark_exhausted
from otel_resilience.errors.failed_call import FailedCall
from otel_resilience.errors.hop import HopKind
from otel_resilience.exceptions import CircuitOpenError
from tests.instrumentation.inbound.answering import (
    PASSED_ON,
    RECEIVED,
    REJECTED,
    ROOT,
    WITHOUT_CHAIN,
    answer,
    hops,
)


def http_error(status: int) -> requests.HTTPError:
    response = requests.Response()
    response.status_code = status
    return requests.HTTPError(response=response)


class Answered(grpc.RpcError):
    """What a stub raises for a status that is not OK."""

    def __init__(self, status: grpc.StatusCode) -> None:
        self._status = status

    def code(self) -> grpc.StatusCode:
        return self._status


class TestWhoIsAHop:
    @pytest.mark.parametrize("status", [200, 302, 400, 404, 428, 499])
    @pytest.mark.parametrize("last", [None, PASSED_ON])
    def test_any_other_answer_is_none_or_a_recovery(self, status: int, last: FailedCall | None) -> None:
        assert hops(last, status=status) is None

    @pytest.mark.parametrize(
        "status", ["OK", "NOT_FOUND", "INVALID_ARGUMENT", "ABORTED", "UNIMPLEMENTED", "CANCELLED"]
    )
    def test_a_grpc_status_that_is_an_answer_is_none(self, status: str) -> None:
        assert hops(PASSED_ON, grpc_status=status) is None

    @pytest.mark.parametrize("status", [429, 500, 503, 599])
    def test_a_failing_status_begins_one(self, status: int) -> None:
        assert hops(status=status) == [("payments", f"HTTP_{status}")]

    @pytest.mark.parametrize(
        "status",
        ["UNAVAILABLE", "DEADLINE_EXCEEDED", "INTERNAL", "UNKNOWN", "RESOURCE_EXHAUSTED", "DATA_LOSS"],
    )
    def test_a_grpc_failure_begins_one(self, status: str) -> None:
        assert hops(grpc_status=status) == [("payments", status)]

    def test_an_uncaught_exception_begins_one_by_its_own_code(self) -> None:
        assert hops(error=DomainError("LIMIT_REACHED"), status=500) == [("payments", "LIMIT_REACHED")]
        assert hops(error=KeyError("x"), status=500) == [("payments", "INTERNAL")]

    def test_after_a_failed_call_the_chain_is_passed_on(self) -> None:
        assert hops(PASSED_ON, status=502) == [ROOT, ("payments", "HTTP_502")]
        assert hops(PASSED_ON, grpc_status="UNAVAILABLE") == [ROOT, ("payments", "UNAVAILABLE")]
        assert hops(PASSED_ON, error=DomainError("CHARGE_FAILED"), status=500) == [
            ROOT,
            ("payments", "CHARGE_FAILED"),
        ]

    def test_429_begins_a_chain_of_its_own(self) -> None:
        assert hops(PASSED_ON, status=429) == [("payments", "HTTP_429")]

    @pytest.mark.parametrize("failed", [WITHOUT_CHAIN, REJECTED])
    @pytest.mark.parametrize(
        "known", [{"status": 502}, {"grpc_status": "UNKNOWN"}, {"error": KeyError(), "status": 500}]
    )
    def test_a_root_keeps_what_failed_whatever_it_answers(
        self, failed: FailedCall, known: dict[str, Any]
    ) -> None:
        told = answer(failed, **known)
        assert told is not None
        assert told.chain.chain_length == 1
        root = told.chain.root
        assert (root.code, root.kind, root.retryable) == (failed.code, failed.kind, failed.retryable)

    def test_an_uncaught_exception_brings_its_own_chain(self) -> None:
        error = DomainError("QUEUE_FAILED")
        attach(error, RECEIVED)
        assert hops(error=error) == [ROOT, ("payments", "QUEUE_FAILED")]

    def test_a_rejection_here_that_nobody_caught_is_of_that_kind(self) -> None:
        told = answer(error=CircuitOpenError("not called"))
        assert told is not None
        assert (told.chain.root.code, told.chain.root.kind) == ("CIRCUIT_OPEN", HopKind.REJECTED)

    @pytest.mark.parametrize("status", [400, 404, 409, 428])
    def test_a_dependencys_answer_that_nobody_caught_is_not_this_services(self, status: int) -> None:
        assert hops(error=http_error(status), status=500) == [("payments", "HTTP_500")]
        assert hops(error=http_error(status), grpc_status="UNKNOWN") == [("payments", "UNKNOWN")]

    @pytest.mark.parametrize("status", [grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT])
    def test_nor_is_a_grpc_status_that_is_an_answer(self, status: grpc.StatusCode) -> None:
        assert hops(error=Answered(status), grpc_status="UNKNOWN") == [("payments", "UNKNOWN")]
        assert hops(error=Answered(status), status=500) == [("payments", "HTTP_500")]

    @pytest.mark.parametrize("status", [429, 500, 503])
    def test_a_failure_of_it_that_nobody_caught_is(self, status: int) -> None:
        assert hops(error=http_error(status), status=500) == [("payments", f"HTTP_{status}")]

    def test_a_code_of_the_applications_own_goes_before(self) -> None:
        error = http_error(404)
        error.error_code = "NO_SUCH_ACCOUNT"  # type: ignore[attr-defined]  # as an application may say it
        assert hops(error=error, status=500) == [("payments", "NO_SUCH_ACCOUNT")]

    def test_what_the_application_says_of_its_answer_is_its_code(self) -> None:
        assert hops(grpc_status="UNAVAILABLE", code="LEDGER_CLOSED") == [("payments", "LEDGER_CLOSED")]

    def test_who_has_used_up_its_retries_says_so(self) -> None:
        told = answer(FailedCall(code="HTTP_503", exhausted=True, received=RECEIVED), status=503)
        assert told is not None
        assert [hop.exhausted for hop in told.chain.hops] == [False, True]
        error = DomainError("GONE")
        mark_exhausted(error)
        told = answer(error=error)
        assert told is not None
        assert told.chain.exhausted

    @pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(), asyncio.CancelledError()])
    def test_the_end_of_the_server_is_no_failure(self, error: BaseException) -> None:
        assert hops(error=error) is None
