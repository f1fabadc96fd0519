"""Free ports on loopback."""

from __future__ import annotations

import contextlib
import socket

LOOPBACK = "127.0.0.1"


def free_addresses(count: int) -> list[str]:
    """`count` different addresses `127.0.0.1:port` that nobody listened on when they were asked for."""
    with contextlib.ExitStack() as held:
        # All are held until the last is found, so that none is given twice.
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind((LOOPBACK, 0))
        return [f"{LOOPBACK}:{one.getsockname()[1]}" for one in sockets]
