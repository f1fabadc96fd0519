"""The seventh, outside the boundary: it keeps what it is asked, and answers with a story that it made up."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from typing import Any, Self

import grpc

ADDRESS = "127.0.0.7"
FORGED = '"bank";c=ROBBED;t="0af7651916cd43dd8448eb211c80319c";s="b7ad6b7169203331";r'


class Stranger:
    """HTTP and gRPC at an address of its own. In use inside ``with``."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append({key.lower(): text for key, text in self.headers.items()})
                self.send_response(503)
                self.send_header("error-chain", FORGED)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._http = ThreadingHTTPServer((ADDRESS, 0), Handler)
        self._thread = Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._grpc = grpc.server(ThreadPoolExecutor(2), options=[("grpc.so_reuseport", 0)])
        handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(self._answer)
        self._grpc.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("ring.v1.Ring", {"Pass": handler}),)
        )
        self.url = f"http://{ADDRESS}:{self._http.server_address[1]}"
        self.target = f"{ADDRESS}:{self._grpc.add_insecure_port(f'{ADDRESS}:0')}"

    def _answer(self, message: bytes, context: grpc.ServicerContext) -> Any:
        self.asked.append({str(pair[0]): str(pair[1]) for pair in context.invocation_metadata()})
        context.set_trailing_metadata((("error-chain", FORGED),))
        context.abort(grpc.StatusCode.UNAVAILABLE, "closed")

    def __enter__(self) -> Self:
        self._thread.start()
        self._grpc.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()
        self._grpc.stop(grace=None).wait()
