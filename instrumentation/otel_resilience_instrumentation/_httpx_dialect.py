"""How ``httpx`` is spoken: how results are read, how time limits are written."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx

from otel_resilience.errors.adopt import is_timed_out
from otel_resilience.errors.dialects.http import read_response
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
_OWN_MISTAKES = (httpx.UnsupportedProtocol, httpx.LocalProtocolError)
#: A socket with a timeout of 0 does not wait at all, which is another error; this one has as good as passed.
_SHORTEST_WAIT = 0.001


class HttpxDialect:
    """Reads responses by their status, exceptions by what they say of the dependency. One for each call."""

    def __init__(self, request: httpx.Request) -> None:
        self._request = request

    def read(self, result: Result[Any]) -> Reading:
        if isinstance(result, Success):
            return _read_response(result.value) if isinstance(result.value, httpx.Response) else SUCCEEDED
        error = result.error
        if isinstance(error, ResilienceError) or is_timed_out(error):
            return read_error(result)
        if isinstance(error, httpx.HTTPStatusError):
            # Raised by a hook; what the dependency said is still what counts.
            return replace(_read_response(error.response), failed=True)
        if not says_something(error):
            return read_error(result, verdict=Verdict.IGNORED if isinstance(error, Exception) else None)
        return read_error(result, remote=True)

    def is_timeout(self, error: BaseException) -> bool:
        return isinstance(error, httpx.TimeoutException)

    def own(self, error: ResilienceError) -> BaseException:
        theirs: type[Exception]
        if isinstance(error, ServiceTimeoutError | DeadlineExceededError):
            theirs = httpx.TimeoutException
        elif isinstance(error, RejectedError):
            theirs = httpx.ConnectError
        else:
            return error
        return as_both(error, theirs, _request=self._request)


def says_something(error: BaseException) -> bool:
    """Whether ``error`` came from the network or the peer, and not from the caller's own doing."""
    return isinstance(error, httpx.RequestError | OSError) and not isinstance(error, _OWN_MISTAKES)


def shortened(timeouts: Any, left: float) -> dict[str, float]:
    """The ``timeouts`` of a request, as its extension has them, none longer than ``left`` seconds."""
    left = max(left, _SHORTEST_WAIT)
    known = timeouts if isinstance(timeouts, dict) else {}
    waits = {name: known.get(name) for name in ("connect", "read", "write", "pool")}
    return {name: left if wait is None else min(wait, left) for name, wait in waits.items()}


def _read_response(response: httpx.Response) -> Reading:
    return read_response(response, response.status_code, response.headers.get("Retry-After"))
