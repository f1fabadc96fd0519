"""How ``requests`` is spoken: how results are read, which requests can be sent twice, how time limits are written."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from requests import exceptions
from requests.models import PreparedRequest, Response
from requests.utils import rewind_body
from urllib3.util import Timeout

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
#: urllib3 refuses a timeout of 0; this one has as good as passed.
_SHORTEST_WAIT = 0.001
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


def is_replayable(request: PreparedRequest) -> bool:
    """Whether the body of ``request`` can be sent a second time."""
    return request.body is None or isinstance(request.body, str | bytes) or is_rewindable(request)


def is_rewindable(request: PreparedRequest) -> bool:
    """Whether the library noted where the reading of the body, a file, began, as it does for redirects."""
    return isinstance(getattr(request, "_body_position", None), int)


def begin_again(request: PreparedRequest, last: Response) -> None:
    """Before another attempt: let go of the ``last`` answer, and begin at the beginning of the body."""
    last.close()
    if is_rewindable(request):
        rewind_body(request)


def shortened(timeout: Any, left: float) -> Timeout:
    """The user's ``timeout`` in all its forms, ending no later than in ``left`` seconds in all."""
    left = max(left, _SHORTEST_WAIT)
    connect, read, total = timeout, timeout, None
    if isinstance(timeout, tuple):
        connect, read = timeout
    elif isinstance(timeout, Timeout):
        connect, read, total = timeout._connect, timeout._read, timeout.total
    return Timeout(connect=_at_most(connect, left), read=_at_most(read, left), total=_at_most(total, left))


def _at_most(seconds: Any, left: float) -> float:
    return min(seconds, left) if isinstance(seconds, int | float) else left
