"""What every outgoing RPC has, sync or asyncio: its policies, what each attempt carries, and how one is parked."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from opentelemetry import trace
from opentelemetry.instrumentation.utils import is_instrumentation_enabled
from opentelemetry.trace import Span

from otel_resilience.config.patterns import grpc_target
from otel_resilience.context import deadline
from otel_resilience.context import endpoint as in_hand
from otel_resilience.errors.reading import Dialect
from otel_resilience.outcome import Failure, Result, unwrap
from otel_resilience_instrumentation import _grpc_span, _processor
from otel_resilience_instrumentation._grpc_metadata import Pairs, with_fields
from otel_resilience_instrumentation._grpc_settlement import Settlement, Unguarded, settle_given_up
from otel_resilience_instrumentation._outbound import request_fields
from otel_resilience_instrumentation._settings import runtime

_log = logging.getLogger("otel_resilience")

Invoke = Callable[..., Any]
Options = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """Which method of whom: ``target`` as the channel was made for it, ``host`` as the boundary judges it.

    ``official``: the official interceptor of the channel draws the CLIENT spans.
    """

    name: str
    target: str
    host: str | None
    official: bool


class OutgoingRpc(ABC):
    """One logical call of ``method``, made by ``invoke``; ``options`` are handed on as they are."""

    dialect: ClassVar[Dialect]

    def __init__(
        self,
        method: Method,
        invoke: Invoke,
        request: Any,
        timeout: float | None,
        metadata: Any,
        options: Options,
    ) -> None:
        self._method = method
        self._invoke = invoke
        self._request = request
        self._timeout = timeout
        self._metadata: Pairs = tuple((key, value) for key, value in metadata or ())
        self._options = options
        self._target = None if _is_in_hand(method) else runtime().find_grpc(method.name, method.target)
        settle_given_up()

    def park(self, hold: Callable[[Any, Settlement], Any]) -> Any:
        """Begin a call that ends elsewhere, once: what ``hold`` makes of it. A refused one is a call that has failed."""
        _processor.ensure_added()
        execution = (
            Unguarded()
            if self._target is None
            else self._target.pipeline.park(dialect=self.dialect, peer=self._target.service)
        )
        if execution.refused is not None:
            return self._refused(execution.refused)
        settlement = Settlement(execution, self._method.host)
        try:
            call = settlement.run(lambda: self._start(settlement))
        except BaseException as error:
            ended = settlement.end(Failure(error))
        else:
            try:
                return hold(call, settlement)
            except Exception:
                _log.exception("the end of an RPC will not be seen")
                return call
        return unwrap(ended)

    @abstractmethod
    def _refused(self, refused: Result[Any]) -> Any:
        """The call that was refused, as one that has failed. Raises what is no RPC's error."""

    def _start(self, settlement: Settlement) -> Any:
        settlement.span, metadata = self._dressed()
        with current(settlement.span):
            return self._send(metadata)

    def _send(self, metadata: Pairs) -> Any:
        timeout = self._timeout
        left = deadline.remaining() if self._target is not None else None
        if left is not None:
            timeout = left if timeout is None else min(timeout, left)
        return self._invoke(self._request, timeout=timeout, metadata=metadata or None, **self._options)

    def _dressed(self) -> tuple[Span | None, Pairs]:
        """The CLIENT span, if it is ours to draw, and the metadata of this attempt; the user's alone where ours fails."""
        span, metadata = None, self._metadata
        try:
            metadata = with_fields(metadata, request_fields(self._method.host, deadline=False))
            if not self._method.official:
                guarded = self._target is not None
                span, carried = _grpc_span.start(self._method.name, self._method.target, guarded=guarded)
                metadata = with_fields(metadata, dict(carried))
        except Exception:
            _log.exception("an RPC is sent without its fields")
        return span, metadata


def current(span: Span | None) -> AbstractContextManager[Any]:
    """``span``, if there is one, as the current one inside the block, which does not end it."""
    if span is None:
        return nullcontext()
    return trace.use_span(span, end_on_exit=False, record_exception=False, set_status_on_exception=False)


R = TypeVar("R", bound=OutgoingRpc)
Begin = Callable[[R], Any]


class GuardedMethod(Generic[R]):
    """What makes the calls of ``method`` in the place of ``base``, the library's own."""

    outgoing: type[R]

    def __init__(self, base: Any, method: Method) -> None:
        self._base = base
        self._method = method

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "_base" not in vars(self):
            raise AttributeError(name)
        return getattr(self._base, name)

    def _make(
        self, invoke: Invoke, request: Any, timeout: Any, metadata: Any, options: Options, begin: Begin[R]
    ) -> Any:
        """The call by ``invoke``, begun by ``begin``; the library's own where it is to be left alone, as the exporters' are."""
        rpc = self._rpc(invoke, request, timeout, metadata, options) if is_instrumentation_enabled() else None
        if rpc is None:
            return invoke(request, timeout=timeout, metadata=metadata, **options)
        return begin(rpc)

    def _rpc(self, *call: Any) -> R | None:
        try:
            return self.outgoing(self._method, *call)
        except Exception:
            _log.exception("an RPC is sent without its policies")
            return None


def _is_in_hand(method: Method) -> bool:
    """Whether a mesh's call to the channel's address is around the RPC: its policies are."""
    if in_hand.current() is None:
        return False
    address = grpc_target(method.target)
    return address is not None and in_hand.is_at(address.host, address.port)
