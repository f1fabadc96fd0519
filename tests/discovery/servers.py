"""Instances that answer checks as they are told, on loopback."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import contextmanager

import grpc

Answer = Callable[[socket.socket, threading.Event], None]


@contextmanager
def tcp_server(answer: Answer) -> Iterator[int]:
    """Accepts connections and does with each what ``answer`` says, until the event that it is given; yields the port."""
    over = threading.Event()
    listening = socket.create_server(("127.0.0.1", 0))
    connections: list[socket.socket] = []

    def serve(connection: socket.socket) -> None:
        try:
            answer(connection, over)
        except OSError:
            pass  # the check hung up
        finally:
            connection.close()

    def accept() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            connections.append(connection)
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield listening.getsockname()[1]
    finally:
        over.set()
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        accepting.join()


def says(text: bytes) -> Answer:
    """Reads the request and answers ``text``."""

    def answer(connection: socket.socket, over: threading.Event) -> None:
        connection.recv(65536)
        connection.sendall(text)

    return answer


def hangs(connection: socket.socket, over: threading.Event) -> None:
    """Accepts, and never answers."""
    over.wait()


def drips(connection: socket.socket, over: threading.Event) -> None:
    """Sends a byte now and then: no single read ever takes long."""
    for byte in b"HTTP/1.1 200 " + b"x" * 10_000:
        connection.sendall(bytes([byte]))
        if over.wait(0.02):
            return


def pours(connection: socket.socket, over: threading.Event) -> None:
    """Sends without end and without a line's end."""
    while not over.is_set():
        connection.sendall(b"x" * 65536)


@contextmanager
def grpc_server(statuses: dict[str, bytes]) -> Iterator[int]:
    """Answers ``grpc.health.v1.Health/Check``: the message for each service's name; yields the port."""

    def check(request: bytes, context: grpc.ServicerContext) -> bytes:
        answer = statuses.get(request[2:].decode())
        if answer is None:
            context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
        return answer

    server = grpc.server(futures.ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers(
        (
            grpc.method_handlers_generic_handler(
                "grpc.health.v1.Health", {"Check": grpc.unary_unary_rpc_method_handler(check)}
            ),
        )
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield port
    finally:
        server.stop(0).wait()


@contextmanager
def nobody() -> Iterator[int]:
    """A port where nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]
