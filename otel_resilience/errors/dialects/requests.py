"""How the results of ``requests`` are read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from requests import exceptions
from requests.models import PreparedRequest, Response

from otel_resilience.errors import codes
from otel_resilience.errors.adopt import is_timed_out
from otel_resilience.errors.dialects import http
from otel_resilience.errors.dialects.own_errors import as_both
from otel_resilience.errors.reading import SUCCEEDED, Reading, read_error
from otel_resilience.exceptions import (
    DeadlineExceededError,
    RejectedError,
    ResilienceError,
    ServiceTimeoutError,
)
from otel_resilience.outcome import Result, Success, Verdict

#: What the caller did wrong, before anything was sent: it says nothing of the dependency.
_OWN_MISTAKES = (
    exceptions.MissingSchema,
    exceptions.InvalidSchema,
    exceptions.InvalidURL,
    exceptions.InvalidHeader,
    exceptions.InvalidJSONError,
    exceptions.UnrewindableBodyError,
    exceptions.StreamConsumedError,
)
_TIMED_OUT = frozenset({"READ_TIMEOUT", "CONNECT_TIMEOUT"})


class RequestsDialect:
    """Reads responses by their status, exceptions by what they say of the dependency. One for each call."""

    def __init__(self, request: PreparedRequest) -> None:
        self._request = request

    def read(self, result: Result[Any]) -> Reading:
        if isinstance(result, Success):
            return _read_response(result.value) if isinstance(result.value, Response) else SUCCEEDED
        error = result.error
        if isinstance(error, ResilienceError) or is_timed_out(error):
            return read_error(result)
        response = getattr(error, "response", None)
        if isinstance(error, exceptions.HTTPError) and isinstance(response, Response):
            # Raised by a hook; what the dependency said is still what counts.
            return replace(_read_response(response), failed=True)
        if not says_something(error):
            return read_error(result, verdict=Verdict.IGNORED)
        return read_error(result, remote=True)

    def is_timeout(self, error: BaseException) -> bool:
        if isinstance(error, exceptions.Timeout):
            return True
        return isinstance(error, exceptions.RequestException) and codes.code_of(error) in _TIMED_OUT

    def own(self, error: ResilienceError) -> BaseException:
        theirs: type[Exception]
        if isinstance(error, ServiceTimeoutError | DeadlineExceededError):
            theirs = exceptions.Timeout
        elif isinstance(error, RejectedError):
            theirs = exceptions.ConnectionError
        else:
            return error
        return as_both(error, theirs, request=self._request, response=None)


def says_something(error: BaseException) -> bool:
    """Whether ``error`` came from the network or the peer, and not from the caller's own doing."""
    return isinstance(error, OSError) and not isinstance(error, _OWN_MISTAKES)


def _read_response(response: Response) -> Reading:
    return http.read_response(response, response.status_code, response.headers.get("Retry-After"))
