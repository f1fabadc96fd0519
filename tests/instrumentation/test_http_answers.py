"""What HTTP clients have in common, as tables with both sides of each rule."""

from __future__ import annotations

import pytest
import requests

from otel_resilience.errors.dialects import http
from otel_resilience.errors.dialects.own_errors import as_both, both
from otel_resilience.errors.dialects.requests import RequestsDialect, shortened
from otel_resilience.exceptions import (
    CircuitOpenError,
    DeadlineExceededError,
    RetriesExhaustedError,
    ServiceTimeoutError,
)
from otel_resilience.outcome import Verdict
from otel_resilience.testing import ManualClock
from otel_resilience_instrumentation import _http
from otel_resilience_instrumentation._http_span import redacted


@pytest.mark.parametrize(
    ("status", "failed", "verdict", "code", "retryable"),
    [
        (200, False, Verdict.SUCCESS, None, False),
        (304, False, Verdict.SUCCESS, None, False),
        (399, False, Verdict.SUCCESS, None, False),
        (400, False, Verdict.SUCCESS, "HTTP_400", False),
        (428, False, Verdict.SUCCESS, "HTTP_428", False),
        (429, True, Verdict.FAILURE, "HTTP_429", True),
        (499, False, Verdict.SUCCESS, "HTTP_499", False),
        (500, True, Verdict.FAILURE, "HTTP_500", False),
        (503, True, Verdict.FAILURE, "HTTP_503", True),
    ],
)
def test_what_a_status_means(
    status: int, failed: bool, verdict: Verdict, code: str | None, retryable: bool
) -> None:
    reading = http.read_response(object(), status, None)
    assert (reading.failed, reading.verdict, reading.code, reading.retryable) == (
        failed,
        verdict,
        code,
        retryable,
    )
    assert reading.error_type == (str(status) if status >= 400 else None)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("0", 0.0),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("٣", None),
        ("9" * 400, None),
        ("Tue, 14 Nov 2023 22:13:30 GMT", 10.0),
        ("Tue, 14 Nov 2023 22:13:10 GMT", 0.0),
        ("Tue, 99 Nov 2023 22:13:10 GMT", None),
    ],
)
def test_how_long_a_server_asks_to_wait(header: str | None, seconds: float | None) -> None:
    with ManualClock(wall=1_700_000_000.0):  # Tue, 14 Nov 2023 22:13:20 GMT
        assert http.seconds_until(header) == seconds


@pytest.mark.parametrize(
    ("url", "host", "port", "path"),
    [
        ("http://payments", "payments", 80, "/"),
        ("https://Payments:8443/Charge?x=1", "payments", 8443, "/Charge"),
        ("HTTPS://payments/", "payments", 443, "/"),
        ("http://user:pw@[::1]:80/a%20b", "::1", 80, "/a%20b"),
        ("unix://x/y", "x", None, "/y"),
    ],
)
def test_where_a_url_leads(url: str, host: str, port: int | None, path: str) -> None:
    assert _http.destination(url) == (host, port, path)


@pytest.mark.parametrize(
    ("timeout", "connect", "read"),
    [
        (None, 2.0, 2.0),
        (1.0, 1.0, 1.0),
        (5, 2.0, 2.0),
        ((1.0, 9.0), 1.0, 2.0),
        ((None, 0.5), 2.0, 0.5),
    ],
)
def test_a_users_timeout_ends_with_the_deadline(timeout: object, connect: float, read: float) -> None:
    limited = shortened(timeout, 2.0)
    assert (limited.connect_timeout, limited._read, limited.total) == (connect, read, 2.0)


def test_a_deadline_that_has_passed_is_no_timeout_of_zero() -> None:
    assert shortened(None, 0.0).connect_timeout == 0.001


def test_a_timeout_object_of_urllib3_keeps_its_own_total() -> None:
    from urllib3.util import Timeout

    assert shortened(Timeout(connect=1.0, total=1.5), 2.0).total == 1.5


def test_an_error_that_is_both_knows_all_that_ours_knew() -> None:
    ours = CircuitOpenError("payments is not called", retry_after=3.0)
    ours.__cause__ = cause = OSError("gone")
    twin = as_both(ours, requests.ConnectionError, request=None, response=None)
    assert isinstance(twin, requests.ConnectionError)
    assert isinstance(twin, CircuitOpenError)
    assert (str(twin), twin.args, twin.retry_after) == (str(ours), ours.args, 3.0)
    assert twin.__cause__ is cause
    assert type(twin) is both(CircuitOpenError, requests.ConnectionError)
    assert as_both(twin, requests.ConnectionError) is twin
    assert as_both(ours, requests.ConnectionError) is not twin


@pytest.mark.parametrize(
    ("error", "theirs"),
    [
        (ServiceTimeoutError("late"), requests.Timeout),
        (DeadlineExceededError("late"), requests.Timeout),
        (CircuitOpenError("open"), requests.ConnectionError),
    ],
)
def test_which_error_of_the_library_ours_is_too(error: CircuitOpenError, theirs: type[Exception]) -> None:
    assert isinstance(RequestsDialect(requests.PreparedRequest()).own(error), theirs)


def test_an_error_that_has_no_counterpart_stays_ours() -> None:
    error = RetriesExhaustedError("three times")
    assert RequestsDialect(requests.PreparedRequest()).own(error) is error


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://a/b?c=d#e", "http://a/b?c=d#e"),
        ("http://u:p@a/", "http://REDACTED:REDACTED@a/"),
        ("http://a/?sig=x&b=", "http://a/?sig=REDACTED&b="),
        ("http://a/?signal=x", "http://a/?signal=x"),
    ],
)
def test_what_a_span_shows_of_a_url(url: str, shown: str) -> None:
    assert redacted(url) == shown
