"""Peers on loopback that fail in one way each."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import trustme

Handler = Callable[[socket.socket], None]

_LOOPBACK = "127.0.0.1"


@contextmanager
def refusing() -> Iterator[int]:
    """A port that is taken and where nobody listens."""
    with socket.socket() as taken:
        taken.bind((_LOOPBACK, 0))
        yield taken.getsockname()[1]


@contextmanager
def overrun() -> Iterator[int]:
    """A port whose queue is full: what comes now is not answered at all."""
    with ExitStack() as held:
        listener = held.enter_context(socket.socket())
        listener.bind((_LOOPBACK, 0))
        listener.listen(0)
        for _ in range(4):
            waiting = held.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


@contextmanager
def serving(handle: Handler) -> Iterator[int]:
    """A port where ``handle`` gets each connection in a thread of its own; all are closed at the end."""
    connections: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def run(connection: socket.socket) -> None:
        try:
            handle(connection)
        except OSError:  # the client has gone, or the test is over
            return

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:  # closed
                return
            connections.append(connection)
            threads.append(threading.Thread(target=run, args=(connection,)))
            threads[-1].start()

    with socket.create_server((_LOOPBACK, 0)) as listener:
        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            accepting.join()
            for connection in connections:
                _end(connection)
            for thread in threads:
                thread.join()


def _end(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:  # it has ended
        pass
    connection.close()


def silent(connection: socket.socket) -> None:
    """Never says a word, and keeps the connection."""
    while connection.recv(65536):
        continue


def closing(connection: socket.socket) -> None:
    """Closes without an answer, once it has been asked."""
    connection.recv(65536)
    connection.close()


def resetting(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def answering(text: bytes) -> Handler:
    """Says ``text`` once it has been asked, and closes."""

    def handle(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(text)
        connection.close()

    return handle


def pausing(text: bytes) -> Handler:
    """Says ``text`` once it has been asked, and then nothing more."""

    def handle(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(text)
        silent(connection)

    return handle


class Authority:
    """A maker of certificates that nobody trusts but who is told to."""

    def __init__(self) -> None:
        self._authority = trustme.CA()
        self.pem = self._authority.cert_pem

    def trusting(self) -> ssl.SSLContext:
        """What a client that trusts it uses."""
        context = ssl.create_default_context()
        self._authority.configure_trust(context)
        return context

    def serving(self, *, asks_for_certificate: bool = False) -> Handler:
        """TLS with its certificate, and one answer."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._authority.issue_cert(_LOOPBACK).configure_cert(context)
        if asks_for_certificate:
            context.verify_mode = ssl.CERT_REQUIRED
            self._authority.configure_trust(context)

        def handle(connection: socket.socket) -> None:
            # Without detaching the socket: a failed handshake must not close it, as a reset may overtake the alert.
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            session = context.wrap_bio(incoming, outgoing, server_side=True)
            while True:
                try:
                    session.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    connection.sendall(outgoing.read())
                    incoming.write(connection.recv(65536))
                except ssl.SSLError:
                    connection.sendall(outgoing.read())
                    silent(connection)
                    return
            connection.sendall(outgoing.read())
            silent(connection)

        return handle
