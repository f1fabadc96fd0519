"""One ``Client.send``.

A thread cannot be cancelled: every wait of the client is shortened to the deadline, and a body that is not
streamed is read until then. With ``stream=True`` a call is judged when its head is there.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from opentelemetry.instrumentation.utils import is_http_instrumentation_enabled

from otel_resilience.context import deadline
from otel_resilience.context import endpoint as in_hand
from otel_resilience.outcome import Failure, Success
from otel_resilience_instrumentation._httpx_body import bound_body
from otel_resilience_instrumentation._httpx_call import ClientCall
from otel_resilience_instrumentation._httpx_dialect import shortened
from otel_resilience_instrumentation._outbound import fields_on

if TYPE_CHECKING:
    from httpx import Request, Response

    Send = Callable[..., Response]

_log = logging.getLogger("otel_resilience")


def guarded(library: Any, send: Send) -> Send:
    """``Client.send`` of ``library`` with the policies that the request's destination has."""

    def guarded_send(client: Any, request: Request, **kwargs: Any) -> Response:
        if not is_http_instrumentation_enabled():
            return send(client, request, **kwargs)
        try:
            call = SyncCall(library, send, client, request, kwargs)
        except Exception:
            _log.exception("a request is sent without its policies")
            return send(client, request, **kwargs)
        return call.make()

    return guarded_send


def with_fields(send_single: Send) -> Send:
    """``Client._send_single_request`` with our fields and what is left of the deadline, and with the chain of its answer read."""

    def send_with_fields(client: Any, request: Request) -> Response:
        call = SyncCall.of(client)
        if call is None:
            return send_single(client, request)
        with call.within_deadline(request), fields_on(request.headers, request.url.host):
            response = send_single(client, request)
        call.bound(response)
        call.receive(request, response)
        return response

    return send_with_fields


class SyncCall(ClientCall):
    """One logical call of a thread: as many attempts as its policies allow."""

    def make(self) -> Response:
        if self._target is None:
            return self._unguarded()
        return self._target.pipeline.execute(self._attempt, **self._guarding(self._target))

    @contextmanager
    def within_deadline(self, request: Request) -> Iterator[None]:
        """One hop's ``request`` with its waits no longer than what is left, and as it was afterwards."""
        left = deadline.remaining() if self._is_guarded() else None
        if left is None:
            yield
            return
        before = request.extensions
        request.extensions = {**before, "timeout": shortened(before.get("timeout"), left)}
        try:
            yield
        finally:
            request.extensions = before

    def bound(self, response: Response) -> None:
        """Let the body of one hop's ``response`` be read until the deadline; a stream is the user's to read."""
        expires_at = deadline.expires_at() if self._is_guarded() else None
        if expires_at is not None and not self._kwargs.get("stream"):
            bound_body(self._library, response, expires_at)

    def _is_guarded(self) -> bool:
        # Inside a mesh's call the policies are around that, and its deadline is this one's.
        return self._target is not None or in_hand.current() is not None

    def _unguarded(self) -> Response:
        try:
            response = self._attempt()
        except Exception as error:
            self._remember(Failure(error))
            raise
        self._remember(Success(response))
        return response

    def _attempt(self) -> Response:
        if self._last is not None:
            self._last.close()
        with self._made():
            response: Response = self._send(self.client, self._request, **self._kwargs)
        self._answered(response)
        return response
