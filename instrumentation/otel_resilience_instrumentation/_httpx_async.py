"""One ``AsyncClient.send``.

The deadline of a call that is not streamed covers its body, as the whole ``send`` is cancelled; with
``stream=True`` a call is judged when its head is there.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
from opentelemetry.instrumentation.utils import is_http_instrumentation_enabled

from otel_resilience.outcome import Failure, Success
from otel_resilience_instrumentation._httpx_call import ClientCall
from otel_resilience_instrumentation._outbound import fields_on

_log = logging.getLogger("otel_resilience")

Send = Callable[..., Awaitable[httpx.Response]]


def guarded(send: Send) -> Send:
    """``AsyncClient.send`` with the policies that the request's destination has."""

    async def guarded_send(
        client: httpx.AsyncClient, request: httpx.Request, **kwargs: Any
    ) -> httpx.Response:
        if not is_http_instrumentation_enabled():
            return await send(client, request, **kwargs)
        try:
            call = AsyncCall(send, client, request, kwargs)
        except Exception:
            _log.exception("a request is sent without its policies")
            return await send(client, request, **kwargs)
        return await call.make()

    return guarded_send


def with_fields(send_single: Send) -> Send:
    """``AsyncClient._send_single_request`` with our fields, judged by this hop's host, and with the chain of its answer read."""

    async def send_with_fields(client: httpx.AsyncClient, request: httpx.Request) -> httpx.Response:
        call = AsyncCall.of(client)
        if call is None:
            return await send_single(client, request)
        with fields_on(request.headers, request.url.host):
            response = await send_single(client, request)
        call.receive(request, response)
        return response

    return send_with_fields


class AsyncCall(ClientCall):
    """One logical call of a task: as many attempts as its policies allow."""

    def __init__(self, send: Send, client: Any, request: httpx.Request, kwargs: dict[str, Any]) -> None:
        super().__init__(client, request, kwargs)
        self._send = send

    async def make(self) -> httpx.Response:
        if self._target is None:
            return await self._unguarded()
        return await self._target.pipeline.aexecute(self._attempt, **self._guarding(self._target))

    async def _unguarded(self) -> httpx.Response:
        try:
            response = await self._attempt()
        except Exception as error:
            self._remember(Failure(error))
            raise
        self._remember(Success(response))
        return response

    async def _attempt(self) -> httpx.Response:
        if self._last is not None:
            await self._last.aclose()
        with self._made():
            response = await self._send(self.client, self._request, **self._kwargs)
        self._answered(response)
        return response
