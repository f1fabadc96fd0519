"""The user's own collector, which gets every OTLP request that the demo's receiver gets."""

from __future__ import annotations

import queue
import threading
import time
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import grpc

_DEFAULT_PORT = 4317
_LONGEST_QUEUE = 1000
_SECONDS_FOR_ONE = 5.0


class Forward:
    """Sends in the background, in order; what does not get through is counted, never an error. A context manager.

    Safe from any thread. ``lost`` and ``failure`` say how many requests did not get through, and why the last
    one did not.
    """

    def __init__(self, url: str) -> None:
        """``url``: ``http://host:port`` (``https`` for TLS); OTLP over gRPC. Raises ``ValueError`` for any other."""
        self.url = url
        self.sent = 0
        self.lost = 0
        self.failure = ""
        self._lock = threading.Lock()  # guards the two lines that say what was lost
        target, secure = read_endpoint(url)
        self._channel = (
            grpc.secure_channel(target, grpc.ssl_channel_credentials())
            if secure
            else grpc.insecure_channel(target)
        )
        self._waiting: queue.Queue[tuple[str, bytes] | None] = queue.Queue(_LONGEST_QUEUE)
        # A daemon: a collector that hangs must not keep the demo from ending.
        self._thread = threading.Thread(target=self._send_all, name="otlp-forward", daemon=True)

    def put(self, method: str, body: bytes) -> None:
        """Send ``body`` soon; at once lost if too many are waiting."""
        try:
            self._waiting.put_nowait((method, body))
        except queue.Full:
            self._lose(1, "the collector takes them too slowly")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self, timeout: float = 10.0) -> None:
        """Send what is waiting, for at most ``timeout`` seconds. A second call does nothing."""
        ending = time.monotonic() + timeout
        if self._thread.is_alive():
            try:
                self._waiting.put(None, timeout=timeout)
            except queue.Full:
                pass
            self._thread.join(max(0.0, ending - time.monotonic()))
            if self._thread.is_alive():
                self._lose(self._waiting.qsize(), f"no time was left after {timeout:g} s")
        self._channel.close()

    def _lose(self, count: int, failure: str) -> None:
        with self._lock:
            self.lost += count
            self.failure = failure

    def _send_all(self) -> None:
        while (item := self._waiting.get()) is not None:
            method, body = item
            try:
                export: grpc.UnaryUnaryMultiCallable[bytes, bytes] = self._channel.unary_unary(method)
                export(body, timeout=_SECONDS_FOR_ONE)
                self.sent += 1
            except grpc.RpcError as error:
                self._lose(1, f"{error.code().name}: {error.details()}")
            except ValueError:  # the channel was closed under us: the time to send is over
                return


def read_endpoint(url: str) -> tuple[str, bool]:
    """The gRPC target of an OTLP endpoint, and whether to use TLS. Raises ``ValueError`` that says what is wrong."""
    rule = f"must be http://host:port or https://host:port of an OTLP receiver over gRPC, got {url!r}"
    try:
        parts = urlsplit(url)
        port = parts.port or _DEFAULT_PORT
    except ValueError as error:
        raise ValueError(rule) from error
    if (
        parts.scheme not in {"http", "https"}
        or not parts.hostname
        or parts.path not in {"", "/"}
        or parts.query
    ):
        raise ValueError(rule)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{host}:{port}", parts.scheme == "https"
