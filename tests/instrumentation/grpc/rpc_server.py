"""A real gRPC server on loopback whose handlers are the test's own functions; messages are bytes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import grpc

SERVICE = "shop.v1.Ledger"

Handler = Callable[[Any, grpc.ServicerContext], Any]


@dataclass(frozen=True)
class Asked:
    method: str
    metadata: tuple[tuple[str, Any], ...]
    time_remaining: float | None

    def all(self, key: str) -> list[Any]:
        return [value for known, value in self.metadata if known == key]

    def get(self, key: str) -> Any:
        found = self.all(key)
        return found[0] if found else None


class RpcServer:
    """Four methods, ``Get`` (unary), ``List`` (server stream), ``Sum`` (client stream), ``Chat`` (both), each answered by
    ``handler``. In use inside ``with``; ``grpc.server`` is looked up then, as an application does.
    """

    def __init__(self, handler: Handler | None = None) -> None:
        self.handler = handler or (lambda request, context: b"ok")
        self.asked: list[Asked] = []
        self.port = 0
        self.stopping = threading.Event()

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port}"

    def _note(self, method: str, context: grpc.ServicerContext) -> None:
        pairs = tuple((pair[0], pair[1]) for pair in context.invocation_metadata())
        self.asked.append(Asked(method, pairs, context.time_remaining()))

    def _get(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        self._note("Get", context)
        return self.handler(request, context)

    def _list(self, request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        self._note("List", context)
        yield from self.handler(request, context)

    def _sum(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
        self._note("Sum", context)
        return self.handler(b"".join(requests), context)

    def _chat(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        self._note("Chat", context)
        for request in requests:
            yield from self.handler(request, context)

    def __enter__(self) -> Self:
        self._pool = ThreadPoolExecutor(max_workers=4)
        self._server = grpc.server(self._pool, options=[("grpc.so_reuseport", 0)])
        methods = {
            "Get": grpc.unary_unary_rpc_method_handler(self._get),
            "List": grpc.unary_stream_rpc_method_handler(self._list),
            "Sum": grpc.stream_unary_rpc_method_handler(self._sum),
            "Chat": grpc.stream_stream_rpc_method_handler(self._chat),
        }
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, methods),))
        self.port = self._server.add_insecure_port(f"127.0.0.1:{self.port}")
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End the server and everything that it was doing; may be called twice."""
        self.stopping.set()
        self._server.stop(grace=None).wait()
        self._pool.shutdown()


class Client:
    """A channel to ``target``, made by ``make``, by default ``grpc.insecure_channel`` as it is now, and the four methods of the server."""

    def __init__(self, target: str, make: Callable[[str], grpc.Channel] | None = None) -> None:
        self.channel = (make or grpc.insecure_channel)(target)
        self.get = self.channel.unary_unary(f"/{SERVICE}/Get")
        self.list = self.channel.unary_stream(f"/{SERVICE}/List")
        self.sum = self.channel.stream_unary(f"/{SERVICE}/Sum")
        self.chat = self.channel.stream_stream(f"/{SERVICE}/Chat")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.channel.close()


def aborting(code: grpc.StatusCode, **trailing: str) -> Handler:
    """A handler that aborts, with ``error_chain=`` and other trailing metadata."""

    def handler(request: Any, context: grpc.ServicerContext) -> Any:
        context.set_trailing_metadata(
            tuple((key.replace("_", "-"), value) for key, value in trailing.items())
        )
        context.abort(code, "as it was told")

    return handler
