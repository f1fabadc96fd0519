"""A NATS server on loopback."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from tests.backends.addresses import LOOPBACK, free_addresses
from tests.backends.running import program
from tests.backends.server import Server


@contextlib.contextmanager
def running_nats(folder: Path) -> Iterator[str]:
    """Start it with JetStream and its data under `folder`, wait until it is ready, and stop it at the end; yields its URL."""
    clients, monitoring = free_addresses(2)
    arguments = ["--addr", LOOPBACK, "--port", _port(clients), "--http_port", _port(monitoring)]
    server = Server(program("nats-server"), [*arguments, "--jetstream", "--store_dir", "data"], folder=folder)
    try:
        server.wait_until_ready(f"http://{monitoring}/healthz")
        yield f"nats://{clients}"
    finally:
        server.stop()


def _port(address: str) -> str:
    return address.rpartition(":")[2]
