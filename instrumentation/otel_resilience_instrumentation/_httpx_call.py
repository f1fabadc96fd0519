"""One ``AsyncClient.send``: its policies around it, and what each hop carries at the seam of one single request.

``send`` is above everything that follows redirects and answers authentication, and above the transport, which
is what the official instrumentation patches: its CLIENT span is inside ours whatever loads first. The
deadline of a call that is not streamed covers its body, as the whole ``send`` is cancelled; with
``stream=True`` a call is judged when its head is there.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any

import httpx
from opentelemetry.instrumentation.utils import is_http_instrumentation_enabled

from otel_resilience import clock
from otel_resilience.errors.adopt import attach, error_chain
from otel_resilience.errors.codecs.carriers import CHAIN_FIELD
from otel_resilience.errors.dialects.http import is_failure
from otel_resilience.errors.failed_call import FailedCall, remember
from otel_resilience.flow.call import NOT_IDEMPOTENT
from otel_resilience.outcome import Failure, Success
from otel_resilience_instrumentation import _http, _processor
from otel_resilience_instrumentation._httpx_dialect import HttpxDialect, says_something
from otel_resilience_instrumentation._outbound import fields_on
from otel_resilience_instrumentation._problem import problem_chain
from otel_resilience_instrumentation._received import read_chain

_log = logging.getLogger("otel_resilience")

Send = Callable[..., Awaitable[httpx.Response]]

_in_hand: ContextVar[ClientCall | None] = ContextVar("otel_resilience.httpx", default=None)


def guarded(send: Send) -> Send:
    """``AsyncClient.send`` with the policies that the request's destination has."""

    async def guarded_send(
        client: httpx.AsyncClient, request: httpx.Request, **kwargs: Any
    ) -> httpx.Response:
        if not is_http_instrumentation_enabled():
            return await send(client, request, **kwargs)
        try:
            call = ClientCall(send, client, request, kwargs)
        except Exception:
            _log.exception("a request is sent without its policies")
            return await send(client, request, **kwargs)
        return await call.make()

    return guarded_send


def with_fields(send_single: Send) -> Send:
    """``AsyncClient._send_single_request`` with our fields, judged by this hop's host, and with the chain of its answer read."""

    async def send_with_fields(client: httpx.AsyncClient, request: httpx.Request) -> httpx.Response:
        call = _in_hand.get()
        if call is None or call.client is not client:
            return await send_single(client, request)
        with fields_on(request.headers, request.url.host):
            response = await send_single(client, request)
        if is_failure(response.status_code):
            chain = read_chain(response.headers.get(CHAIN_FIELD), host=request.url.host)
            if chain is not None:
                attach(response, chain)
        return response

    return send_with_fields


class ClientCall:
    """One logical call: as many attempts as its policies allow."""

    def __init__(
        self, send: Send, client: httpx.AsyncClient, request: httpx.Request, kwargs: dict[str, Any]
    ) -> None:
        self.client = client
        self._send = send
        self._request = request
        self._kwargs = kwargs
        url = request.url
        to = _http.Destination(url.host, url.port or _http.PORTS.get(url.scheme), url.path)
        self._target = _http.find(request.method, to, request.headers)
        self._dialect = HttpxDialect(request)
        self._last: httpx.Response | None = None

    async def make(self) -> httpx.Response:
        if self._target is None:
            return await self._unguarded()
        _processor.ensure_added()
        replayable = self._target.idempotent and isinstance(self._request.stream, httpx.ByteStream)
        return await self._target.pipeline.aexecute(
            self._attempt,
            dialect=self._dialect,
            peer=self._target.service,
            not_replayable=None if replayable else NOT_IDEMPOTENT,
        )

    async def _unguarded(self) -> httpx.Response:
        began = clock.current().monotonic()
        try:
            response = await self._attempt()
        except Exception as error:
            if says_something(error):
                remember(FailedCall.of(self._dialect.read(Failure(error)), began=began))
            raise
        reading = self._dialect.read(Success(response))
        if reading.failed:
            remember(FailedCall.of(reading, began=began))
        return response

    async def _attempt(self) -> httpx.Response:
        if self._last is not None:
            await self._last.aclose()
        token = _in_hand.set(self)
        try:
            response = self._last = await self._send(self.client, self._request, **self._kwargs)
        finally:
            _in_hand.reset(token)
        if is_failure(response.status_code) and error_chain(response) is None:
            self._read_problem(response)
        return response

    def _read_problem(self, response: httpx.Response) -> None:
        if self._target is None or not response.is_closed or not hasattr(response, "_content"):
            return  # a stream is the user's to read
        chain = problem_chain(
            service=self._target.service,
            host=response.url.host,
            status=response.status_code,
            content_type=response.headers.get("Content-Type"),
            body=response.content,
        )
        if chain is not None:
            attach(response, chain)
