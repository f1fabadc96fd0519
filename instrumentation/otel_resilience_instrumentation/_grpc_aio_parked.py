"""An outgoing ``grpc.aio`` call that is guarded from begin to end, whoever meets its end.

That is whoever awaits or reads it, gRPC, which calls back, or the collector of garbage where nobody wants it any more.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Generator
from typing import Any

import grpc
import grpc.aio

from otel_resilience.errors.adopt import copy_notes
from otel_resilience.errors.dialects.grpc import CallCancelled
from otel_resilience.errors.dialects.grpc_aio import end_of
from otel_resilience.exceptions import ResilienceError
from otel_resilience.outcome import Failure, Success
from otel_resilience_instrumentation._grpc_settlement import Settlement

_log = logging.getLogger("otel_resilience")


class Held:
    """The library's ``call`` and its settlement."""

    def __init__(self, call: Any, settlement: Settlement) -> None:
        self.call = call
        self._settlement = settlement
        call.add_done_callback(lambda ended: settlement.end(end_of(ended)))

    def succeeded(self, response: Any = None) -> None:
        """The caller has seen the end of it."""
        self._settlement.end(Success(response))

    def goes_on_after(self, error: BaseException) -> bool:
        """Whether the call does: after a mistake of the caller's, as reading in two ways at once is, or a write given up."""
        return not isinstance(error, grpc.RpcError) and not self.call.done()

    def ended_in(self, error: BaseException) -> BaseException:
        """What the caller gets for ``error``: the very object, or ours where our own timeout ended the call."""
        if not isinstance(error, Exception):
            self._settlement.end(Failure(CallCancelled()))
            return error
        final = self._settlement.end(Failure(error))
        if isinstance(final, Failure) and isinstance(error, grpc.RpcError) and final.error is not error:
            if isinstance(final.error, ResilienceError):
                return final.error
            copy_notes(final.error, error)  # gRPC makes an error anew for everybody who asks
        return error


class HeldStream(Held):
    """One that is cancelled when nobody holds it any more. A call with one answer goes on, as gRPC lets it."""

    def __del__(self) -> None:
        # This may run anywhere, also while this thread holds a lock of ours or of the SDK: the rest is for the
        # event loop. Where that is closed gRPC lets go of the call by itself.
        try:
            if not self.call.done():
                self.call._loop.call_soon_threadsafe(self.call.cancel)
        except Exception:
            _log.debug("a stream that was given up could not be cancelled", exc_info=True)


class _Parked(grpc.aio.Call):
    _hold: type[Held] = Held

    def __init__(self, call: Any, settlement: Settlement) -> None:
        self._held = self._hold(call, settlement)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "_held" not in vars(self):
            raise AttributeError(name)
        return getattr(self._held.call, name)

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        self._held.call.add_done_callback(lambda _: callback(self))

    def cancel(self) -> bool:
        return bool(self._held.call.cancel())

    def cancelled(self) -> bool:
        return bool(self._held.call.cancelled())

    def done(self) -> bool:
        return bool(self._held.call.done())

    def time_remaining(self) -> Any:
        return self._held.call.time_remaining()

    async def initial_metadata(self) -> Any:
        return await self._held.call.initial_metadata()

    async def trailing_metadata(self) -> Any:
        return await self._held.call.trailing_metadata()

    async def code(self) -> Any:
        return await self._held.call.code()

    async def details(self) -> Any:
        return await self._held.call.details()

    async def wait_for_connection(self) -> None:
        await self._met(self._held.call.wait_for_connection())

    async def _met(self, doing: Any) -> Any:
        """Await ``doing``, whose error may be the call's end."""
        try:
            return await doing
        except BaseException as error:
            if self._held.goes_on_after(error):
                raise
            met = error
        raise self._held.ended_in(met)


class _OneResponse(_Parked):
    def __await__(self) -> Generator[Any, None, Any]:
        held = self._held
        try:
            response = yield from held.call.__await__()
        except BaseException as error:
            met = error
        else:
            held.succeeded(response)
            return response
        raise held.ended_in(met)


class _ManyResponses(_Parked):
    _hold = HeldStream
    _responses: AsyncIterator[Any] | None = None

    def __aiter__(self) -> AsyncIterator[Any]:
        if self._responses is None:
            self._responses = _read(self._held)
        return self._responses

    async def read(self) -> Any:
        response = await self._met(self._held.call.read())
        if response is grpc.aio.EOF:
            self._held.succeeded()
        return response


async def _read(held: Held) -> AsyncIterator[Any]:
    # It knows not the user's call, which knows it: who drops both is noticed at once.
    try:
        async for response in held.call:
            yield response
    except GeneratorExit:
        raise  # the reader has had enough; the call is still there
    except BaseException as error:
        if held.goes_on_after(error):
            raise
        met = error
    else:
        held.succeeded()
        return
    raise held.ended_in(met)


class _ManyRequests(_Parked):
    async def write(self, request: Any) -> None:
        await self._met(self._held.call.write(request))

    async def done_writing(self) -> None:
        await self._met(self._held.call.done_writing())


class ParkedUnaryUnary(_OneResponse, grpc.aio.UnaryUnaryCall):  # type: ignore[type-arg]  # not generic at run time
    """One request, one answer, no policies."""


class ParkedUnaryStream(_ManyResponses, grpc.aio.UnaryStreamCall):  # type: ignore[type-arg]  # not generic at run time
    """One request, many answers."""


class ParkedStreamUnary(_ManyRequests, _OneResponse, grpc.aio.StreamUnaryCall):  # type: ignore[type-arg]  # not generic at run time
    """Many requests, one answer."""


class ParkedStreamStream(_ManyRequests, _ManyResponses, grpc.aio.StreamStreamCall):  # type: ignore[type-arg]  # not generic at run time
    """Many requests, many answers."""
