"""A handler's context that sees how the handler answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc

Metadata = tuple[tuple[str, str | bytes], ...]


class Watching:
    """Delegates to the real context, all that abstract contexts of both worlds demand; ``status`` and ``aborted`` are what
    the handler has said through this one.

    ``tell``, while the RPC is in hand, is for those that send a status before the handler ends: it tells of it
    what is to be told.
    """

    def __init__(self, context: Any) -> None:
        self._context = context
        self.tell: Callable[[], None] | None = None
        self._trailing: Metadata = ()
        self.status: grpc.StatusCode | None = None
        self.aborted = False

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "_context" not in vars(self):
            raise AttributeError(name)
        return getattr(self._context, name)

    def set_code(self, code: grpc.StatusCode) -> None:
        self.status = code if isinstance(code, grpc.StatusCode) else grpc.StatusCode.UNKNOWN
        self._context.set_code(code)

    def set_trailing_metadata(self, trailing_metadata: Any) -> None:
        self._trailing = _pairs(trailing_metadata)
        self._context.set_trailing_metadata(self._trailing)

    def known_trailing_metadata(self) -> Metadata:
        """What will be sent by now, set through this context or around it."""
        try:
            return _pairs(self._context.trailing_metadata())
        except (AttributeError, NotImplementedError):  # a context of somebody else's that cannot tell
            return self._trailing

    def invocation_metadata(self) -> Any:
        return self._context.invocation_metadata()

    def time_remaining(self) -> Any:
        return self._context.time_remaining()

    def peer(self) -> Any:
        return self._context.peer()

    def peer_identities(self) -> Any:
        return self._context.peer_identities()

    def peer_identity_key(self) -> Any:
        return self._context.peer_identity_key()

    def auth_context(self) -> Any:
        return self._context.auth_context()

    def set_compression(self, compression: Any) -> Any:
        return self._context.set_compression(compression)

    def disable_next_message_compression(self) -> Any:
        return self._context.disable_next_message_compression()

    def set_details(self, details: str) -> Any:
        return self._context.set_details(details)

    def trailing_metadata(self) -> Any:
        return self._context.trailing_metadata()

    def code(self) -> Any:
        return self._context.code()

    def details(self) -> Any:
        return self._context.details()


class WatchedContext(Watching, grpc.ServicerContext):
    """The context of a handler that runs in a thread of a sync server."""

    def abort(self, code: grpc.StatusCode, details: str) -> Any:
        # OK is no way to abort: gRPC makes it UNKNOWN.
        self.status = grpc.StatusCode.UNKNOWN if code is grpc.StatusCode.OK else code
        self.aborted = True
        return self._context.abort(code, details)

    def abort_with_status(self, status: Any) -> Any:
        self.status = grpc.StatusCode.UNKNOWN if status.code is grpc.StatusCode.OK else status.code
        self.aborted = True
        self._trailing = _pairs(status.trailing_metadata)
        return self._context.abort_with_status(status)

    def was_left_by_its_caller(self, error: Exception) -> bool:
        """Whether ``error`` is gRPC's own word for a caller that has gone: nothing is answered then."""
        return type(error) is grpc.RpcError and not self._context.is_active()

    def is_active(self) -> bool:
        return bool(self._context.is_active())

    def cancel(self) -> Any:
        return self._context.cancel()

    def add_callback(self, callback: Any) -> Any:
        return self._context.add_callback(callback)

    def send_initial_metadata(self, initial_metadata: Any) -> Any:
        return self._context.send_initial_metadata(initial_metadata)


def _pairs(metadata: Any) -> Metadata:
    return tuple((pair[0], pair[1]) for pair in metadata or ())
