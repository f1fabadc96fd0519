"""One ``AsyncClient.send``.

The deadline of a call that is not streamed covers its body, as the whole ``send`` is cancelled; with
``stream=True`` a call is judged when its head is there.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from opentelemetry.instrumentation.utils import is_http_instrumentation_enabled

from otel_resilience.outcome import Failure, Success
from otel_resilience_instrumentation._httpx_call import ClientCall
from otel_resilience_instrumentation._outbound import fields_on

if TYPE_CHECKING:
    from httpx import Request, Response

    Send = Callable[..., Awaitable[Response]]

_log = logging.getLogger("otel_resilience")


def guarded(library: Any, send: Send) -> Send:
    """``AsyncClient.send`` of ``library`` with the policies that the request's destination has."""

    async def guarded_send(client: Any, request: Request, **kwargs: Any) -> Response:
        if not is_http_instrumentation_enabled():
            return await send(client, request, **kwargs)
        try:
            call = AsyncCall(library, send, client, request, kwargs)
        except Exception:
            _log.exception("a request is sent without its policies")
            return await send(client, request, **kwargs)
        return await call.make()

    return guarded_send


def with_fields(send_single: Send) -> Send:
    """``AsyncClient._send_single_request`` with our fields, judged by this hop's host, and with the chain of its answer read."""

    async def send_with_fields(client: Any, request: Request) -> Response:
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

    async def make(self) -> Response:
        if self._target is None:
            return await self._unguarded()
        return await self._target.pipeline.aexecute(self._attempt, **self._guarding(self._target))

    async def _unguarded(self) -> Response:
        try:
            response = await self._attempt()
        except Exception as error:
            self._remember(Failure(error))
            raise
        self._remember(Success(response))
        return response

    async def _attempt(self) -> Response:
        if self._last is not None:
            await self._last.aclose()
        with self._made():
            response: Response = await self._send(self.client, self._request, **self._kwargs)
        self._answered(response)
        return response
