"""One ``send`` of an ``httpx`` client (or of ``httpx2``), sync or asyncio: its policies around it, and what each hop carries.

``send`` is above everything that follows redirects and answers authentication, and above the transport, which
is what the official instrumentation patches: its CLIENT span is inside ours whatever loads first. Each hop
goes through ``_send_single_request``, where our fields are put on, judged by that hop's host.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Self

from otel_resilience import clock
from otel_resilience.errors.adopt import attach, error_chain
from otel_resilience.errors.codecs.carriers import CHAIN_FIELD
from otel_resilience.errors.dialects.http import is_failure
from otel_resilience.errors.failed_call import remember_end
from otel_resilience.flow.call import NOT_IDEMPOTENT
from otel_resilience.outcome import Failure, Result
from otel_resilience_instrumentation import _http, _processor
from otel_resilience_instrumentation._httpx_dialect import HttpxDialect
from otel_resilience_instrumentation._problem import problem_chain
from otel_resilience_instrumentation._received import read_chain

if TYPE_CHECKING:
    from httpx import Request, Response

    from otel_resilience.config.target import Target

_in_hand: ContextVar[ClientCall | None] = ContextVar("otel_resilience.httpx", default=None)


class ClientCall:
    """One logical call of ``client``: what both worlds know of it.

    ``library`` is the client's module, ``send`` the library's own and ``kwargs`` its.
    """

    def __init__(
        self, library: Any, send: Callable[..., Any], client: Any, request: Request, kwargs: dict[str, Any]
    ) -> None:
        self.client = client
        self._library = library
        self._send = send
        self._request = request
        self._kwargs = kwargs
        url = request.url
        to = _http.Destination(url.host, url.port or _http.PORTS.get(url.scheme), url.path)
        self._target = _http.find(request.method, to, request.headers)
        self._dialect = HttpxDialect(library, request)
        self._last: Response | None = None
        self._began = clock.current().monotonic()

    @classmethod
    def of(cls, client: Any) -> Self | None:
        """The call of ``client`` that is being made in this thread or task."""
        call = _in_hand.get()
        return call if isinstance(call, cls) and call.client is client else None

    def receive(self, request: Request, response: Response) -> None:
        """Read the chain of one hop's answer, by the host that gave it."""
        if is_failure(response.status_code):
            chain = read_chain(response.headers.get(CHAIN_FIELD), host=request.url.host)
            if chain is not None:
                attach(response, chain)

    @contextmanager
    def _made(self) -> Iterator[None]:
        token = _in_hand.set(self)
        try:
            yield
        finally:
            _in_hand.reset(token)

    def _answered(self, response: Response) -> None:
        self._last = response
        if is_failure(response.status_code) and error_chain(response) is None:
            self._read_problem(response)

    def _guarding(self, target: Target) -> dict[str, Any]:
        """What the pipeline has to know of this call."""
        _processor.ensure_added()
        replayable = target.idempotent and isinstance(self._request.stream, self._library.ByteStream)
        return {
            "dialect": self._dialect,
            "peer": target.service,
            "not_replayable": None if replayable else NOT_IDEMPOTENT,
        }

    def _remember(self, result: Result[Response]) -> None:
        """Let the request in hand know how a call without policies ended, where it failed."""
        if isinstance(result, Failure) and not self._dialect.says_something(result.error):
            return
        remember_end(self._dialect.read(result), began=self._began)

    def _read_problem(self, response: Response) -> None:
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
