"""As much of Redis and of PostgreSQL as it takes to let their clients connect and then fail as a test says."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator, Mapping

from tests.errors.loopback import Handler

#: What a server of PostgreSQL tells whom it lets in, and its drivers rely on.
_SETTINGS = {
    b"server_version": b"15.0",
    b"client_encoding": b"UTF8",
    b"standard_conforming_strings": b"on",
    b"DateStyle": b"ISO, MDY",
}


def redis_saying(replies: Mapping[str, bytes]) -> Handler:
    """Answers each command by its name, others with OK."""

    def handle(connection: socket.socket) -> None:
        with connection.makefile("rb") as commands:
            for name in _commands(commands):
                connection.sendall(replies.get(name, b"+OK") + b"\r\n")

    return handle


def _commands(lines: Iterator[bytes]) -> Iterator[str]:
    """The names of commands, each an array of strings: ``*2``, ``$3``, ``GET``, ``$1``, ``x``."""
    for line in lines:
        words = [(next(lines), next(lines))[1] for _ in range(int(line[1:]))]
        yield words[0].strip().decode().upper()


def postgres_failing(sqlstate: str, *, at_once: bool = False) -> Handler:
    """Lets a client in and answers each of its statements, or ``at_once`` its coming, with an error."""
    fields = (b"SERROR", b"VERROR", b"C" + sqlstate.encode(), b"Mas the test says", b"")
    error = _message(b"E", b"\0".join(fields) + b"\0")
    ready = _message(b"Z", b"I")

    def handle(connection: socket.socket) -> None:
        with connection.makefile("rb") as asked:
            (length,) = struct.unpack("!i", asked.read(4))
            asked.read(length - 4)  # who comes, and what for
            if at_once:
                connection.sendall(error)
                return
            connection.sendall(
                _message(b"R", struct.pack("!i", 0))
                + b"".join(_message(b"S", b"\0".join([*setting, b""])) for setting in _SETTINGS.items())
                + _message(b"K", struct.pack("!ii", 1, 1))
                + ready
            )
            while kind := asked.read(1):
                (length,) = struct.unpack("!i", asked.read(4))
                asked.read(length - 4)
                if kind == b"Q":
                    connection.sendall(error + ready)
                elif kind == b"P":
                    connection.sendall(error)
                elif kind == b"S":  # the end of what was prepared and failed
                    connection.sendall(ready)

    return handle


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body
