"""How ``httpx`` is spoken, and ``httpx2``, which is the same under another name: how results are read, how time limits are written."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

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

#: A socket with a timeout of 0 does not wait at all, which is another error; this one has as good as passed.
_SHORTEST_WAIT = 0.001


class HttpxDialect:
    """Reads responses by their status, exceptions by what they say of the dependency. One for each call.

    ``library`` is the module whose ``request`` it is.
    """

    def __init__(self, library: Any, request: Any) -> None:
        self._library = library
        self._request = request

    def read(self, result: Result[Any]) -> Reading:
        if isinstance(result, Success):
            is_response = isinstance(result.value, self._library.Response)
            return _read_response(result.value) if is_response else SUCCEEDED
        error = result.error
        if isinstance(error, ResilienceError) or is_timed_out(error):
            return read_error(result)
        if isinstance(error, self._library.HTTPStatusError):
            # Raised by a hook; what the dependency said is still what counts.
            return replace(_read_response(error.response), failed=True)
        if not self.says_something(error):
            return read_error(result, verdict=Verdict.IGNORED if isinstance(error, Exception) else None)
        return read_error(result, remote=True)

    def is_timeout(self, error: BaseException) -> bool:
        return isinstance(error, self._library.TimeoutException)

    def own(self, error: ResilienceError) -> BaseException:
        theirs: type[Exception]
        if isinstance(error, ServiceTimeoutError | DeadlineExceededError):
            theirs = self._library.TimeoutException
        elif isinstance(error, RejectedError):
            theirs = self._library.ConnectError
        else:
            return error
        return as_both(error, theirs, _request=self._request)

    def says_something(self, error: BaseException) -> bool:
        """Whether ``error`` came from the network or the peer, and not from the caller's own doing."""
        mistakes = (self._library.UnsupportedProtocol, self._library.LocalProtocolError)
        return isinstance(error, self._library.RequestError | OSError) and not isinstance(error, mistakes)


def shortened(timeouts: Any, left: float) -> dict[str, float]:
    """The ``timeouts`` of a request, as its extension has them, none longer than ``left`` seconds."""
    left = max(left, _SHORTEST_WAIT)
    known = timeouts if isinstance(timeouts, dict) else {}
    waits = {name: known.get(name) for name in ("connect", "read", "write", "pool")}
    return {name: left if wait is None else min(wait, left) for name, wait in waits.items()}


def _read_response(response: Any) -> Reading:
    return read_response(response, response.status_code, response.headers.get("Retry-After"))
