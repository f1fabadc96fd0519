"""One ``Session.send``, from the call's policy down to what each hop carries.

The seam is ``Session.send``: everything goes through it, ``session.send(prepared)`` too. The official
instrumentation patches the same attribute, so ours is a layer that stays outermost. Redirects come back to
``Session.send`` on the same session: those pass through, with the fields of each hop judged anew.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any

from opentelemetry.instrumentation.utils import is_http_instrumentation_enabled, is_instrumentation_enabled
from requests.models import PreparedRequest, Response
from requests.sessions import Session
from urllib3.util import Timeout

from otel_resilience import clock
from otel_resilience.context import attempt, deadline
from otel_resilience.context import endpoint as in_hand
from otel_resilience.errors.adopt import attach
from otel_resilience.errors.chain import ErrorChain
from otel_resilience.errors.codecs.carriers import CHAIN_FIELD
from otel_resilience.errors.dialects.http import is_failure
from otel_resilience.errors.dialects.requests import (
    RequestsDialect,
    begin_again,
    is_replayable,
    says_something,
    shortened,
)
from otel_resilience.errors.failed_call import remember_end
from otel_resilience.flow.call import NOT_IDEMPOTENT
from otel_resilience.outcome import Failure, Success
from otel_resilience_instrumentation import _http, _processor, _routing
from otel_resilience_instrumentation._body_deadline import bound_body
from otel_resilience_instrumentation._http_span import client_span, record_status
from otel_resilience_instrumentation._official import draws_client_spans
from otel_resilience_instrumentation._outbound import fields_on
from otel_resilience_instrumentation._problem import problem_chain
from otel_resilience_instrumentation._received import read_chain

_log = logging.getLogger("otel_resilience")

Send = Callable[..., Response]

_in_hand: ContextVar[SessionCall | None] = ContextVar("otel_resilience.requests", default=None)


def guarded(send: Send) -> Send:
    """``Session.send`` with the policies that the request's destination has."""

    def guarded_send(session: Session, request: PreparedRequest, **kwargs: Any) -> Response:
        outer = _in_hand.get()
        if outer is not None and outer.session is session and outer.is_followed_by(request):
            return outer.follow(request, kwargs)
        # Inside a call of ours it is the CLIENT span that suppresses HTTP; exporters suppress everything.
        if not (is_http_instrumentation_enabled() if outer is None else is_instrumentation_enabled()):
            return send(session, request, **kwargs)
        try:
            call = SessionCall(send, session, request, kwargs)
        except ValueError:  # no URL: the library itself has the right words for it
            return send(session, request, **kwargs)
        except Exception:
            _log.exception("a request is sent without its policies")
            return send(session, request, **kwargs)
        return call.make()

    return guarded_send


class SessionCall:
    """One logical call: as many attempts as its policies allow, each with as many redirects as the session follows."""

    def __init__(
        self, send: Send, session: Session, request: PreparedRequest, kwargs: dict[str, Any]
    ) -> None:
        self.session = session
        self._send = send
        self._request = request
        self._kwargs = kwargs
        self._to = _http.destination(request.url or "")
        self._target = _routing.find(request.method or "", request.url or "", self._to, request.headers)
        # Inside a mesh's call the policies are around that, and its deadline is this one's.
        self._guarded = self._target is not None or in_hand.current() is not None
        self._dialect = RequestsDialect(request)
        self._last: Response | None = None
        self._sent: dict[str, str] = {}
        self._hooks = _users(request.hooks)
        self._shortened: Timeout | None = None

    def make(self) -> Response:
        if self._target is None:
            return self._unguarded()
        _processor.ensure_added()
        not_replayable = None if self._target.idempotent and is_replayable(self._request) else NOT_IDEMPOTENT
        response: Response = self._target.pipeline.execute(
            self._attempt, dialect=self._dialect, peer=self._target.service, not_replayable=not_replayable
        )
        return response

    def is_followed_by(self, request: PreparedRequest) -> bool:
        """Whether ``request`` goes on with this call, as a redirect's does.

        A copy shares the hooks with what it was made of. What a hook of the user's asks for on the same
        session is a call of its own.
        """
        return _users(request.hooks) is self._hooks

    def follow(self, request: PreparedRequest, kwargs: dict[str, Any]) -> Response:
        """One redirect, inside an attempt: its request is a copy with what we put on the one before."""
        self._undress(request)
        if self._shortened is not None and kwargs.get("timeout") is self._shortened:
            kwargs["timeout"] = self._kwargs.get("timeout")
        with self._dressed(request, _http.destination(request.url or "").host):
            response = self._send(self.session, request, **self._within_deadline(kwargs))
            if response.next is not None:
                self._undress(response.next)
            return response

    def _unguarded(self) -> Response:
        began = clock.current().monotonic()
        try:
            response = self._attempt()
        except Exception as error:
            if says_something(error):
                remember_end(self._dialect.read(Failure(error)), began=began)
            raise
        remember_end(self._dialect.read(Success(response)), began=began)
        return response

    def _attempt(self) -> Response:
        if self._last is not None:
            begin_again(self._request, self._last)
        token = _in_hand.set(self)
        try:
            with self._dressed(self._request, self._to.host), self._span() as span:
                response = self._send(self.session, self._request, **self._within_deadline(self._kwargs))
                if span is not None:
                    record_status(span, response.status_code)
        except Exception as error:
            answered = getattr(error, "response", None)
            if isinstance(answered, Response):
                self._receive(answered)
            raise
        finally:
            _in_hand.reset(token)
        self._last = response
        self._receive(response)
        return response

    def _receive(self, response: Response) -> None:
        """Read the answer's chain, by the host that gave it, and clean what the library copied from our request."""
        if response.next is not None:
            self._undress(response.next)
        if is_failure(response.status_code):
            host = _http.destination(response.url).host
            chain = read_chain(response.headers.get(CHAIN_FIELD), host=host) or self._problem(response, host)
            if chain is not None:
                attach(response, chain)

    def _problem(self, response: Response, host: str) -> ErrorChain | None:
        body = getattr(response, "_content", None)
        if self._target is None or not isinstance(body, bytes):  # a stream, which is the user's to read
            return None
        return problem_chain(
            service=self._target.service,
            host=host,
            status=response.status_code,
            content_type=response.headers.get("Content-Type"),
            body=body,
        )

    def _span(self) -> Any:
        if draws_client_spans("requests"):
            return nullcontext()
        number = attempt.current() if self._target is not None else None
        return client_span(
            self._request.method or "",
            self._request.url or "",
            self._to,
            self._request.headers,
            attempt=None if number is None else number.number,
        )

    def _within_deadline(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        left = deadline.remaining() if self._guarded else None
        if left is None:
            return kwargs
        self._shortened = shortened(kwargs.get("timeout"), left)
        return {**kwargs, "timeout": self._shortened}

    @contextmanager
    def _dressed(self, request: PreparedRequest, host: str) -> Iterator[None]:
        """The user's request with our fields for ``host`` on it, and as it was afterwards."""
        with fields_on(request.headers, host) as self._sent:
            expires_at = deadline.expires_at() if self._guarded else None
            if expires_at is not None:
                request.hooks = _GuardingHooks(self._hooks, expires_at)
            try:
                yield
            finally:
                request.hooks = self._hooks

    def _undress(self, copy: PreparedRequest) -> None:
        copy.hooks = _users(copy.hooks)
        for name, value in self._sent.items():
            if copy.headers.get(name) == value:
                del copy.headers[name]


class _GuardingHooks(dict[str, Any]):
    """The user's ``hooks`` with ours first: a body that is not streamed is read until ``expires_at``.

    Knows the user's own, so that a request that two threads send at once ends as it was.
    """

    def __init__(self, hooks: Any, expires_at: float) -> None:
        def bound(response: Response, **kwargs: Any) -> None:
            if not kwargs.get("stream"):
                bound_body(response.raw, expires_at)

        known = (hooks or {}).get("response") or []
        super().__init__(hooks or {}, response=[bound, *([known] if callable(known) else known)])
        self.users = hooks


def _users(hooks: Any) -> Any:
    return hooks.users if isinstance(hooks, _GuardingHooks) else hooks
