"""The way on from one service of the ring: to the next one, by the client that this service has, or to a stranger."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import httpx
import requests

#: Where the next service is: ``http://127.0.0.1:1234``, or ``127.0.0.1:1234`` for gRPC.
NEXT = os.environ["RING_NEXT"]
CLIENT = os.environ["RING_CLIENT"]
STRANGER_URL, STRANGER_TARGET = os.environ["RING_STRANGER_URL"], os.environ["RING_STRANGER_TARGET"]
PASS, METHOD = "/pass", "/ring.v1.Ring/Pass"

#: What an application catches that does not want to see whatever its client raises.
FAILURES = (OSError, httpx.HTTPError, grpc.RpcError)

_loop = asyncio.new_event_loop()


def go_on(hops: int, kind: str) -> str:
    """What the next service answers for the rest of the way. Raises what the client raises, a failing status too."""
    return _CLIENTS[CLIENT](NEXT, hops, kind)


def ask_stranger(client: str) -> str:
    """The same of a service outside the boundary."""
    return _CLIENTS[client](STRANGER_TARGET if client.startswith("grpc") else STRANGER_URL, 0, "none")


def _requests(url: str, hops: int, kind: str) -> str:
    response = requests.get(f"{url}{PASS}/{hops}/{kind}", timeout=30)
    response.raise_for_status()
    return response.text


def _httpx(url: str, hops: int, kind: str) -> str:
    with httpx.Client(timeout=30) as client:
        return client.get(f"{url}{PASS}/{hops}/{kind}").raise_for_status().text


async def _httpx_async(url: str, hops: int, kind: str) -> str:
    async with httpx.AsyncClient(timeout=30) as client:
        response = await client.get(f"{url}{PASS}/{hops}/{kind}")
        return response.raise_for_status().text


def _grpc(target: str, hops: int, kind: str) -> str:
    with grpc.insecure_channel(target) as channel:
        answer: bytes = channel.unary_unary(METHOD)(f"{hops} {kind}".encode(), timeout=30)
        return answer.decode()


async def _grpc_aio(target: str, hops: int, kind: str) -> str:
    async with grpc.aio.insecure_channel(target) as channel:
        answer: bytes = await channel.unary_unary(METHOD)(f"{hops} {kind}".encode(), timeout=30)
        return answer.decode()


def _in_loop(coroutine: Callable[[str, int, str], Awaitable[str]]) -> Callable[[str, int, str], str]:
    """For a service of threads: on the one event loop of the process, in the context of the request."""

    def call(where: str, hops: int, kind: str) -> str:
        done: Any = asyncio.run_coroutine_threadsafe(coroutine(where, hops, kind), _loop)  # type: ignore[arg-type]  # both are coroutines
        answer: str = done.result()
        return answer

    return call


async def go_on_async(hops: int, kind: str) -> str:
    """``go_on`` for a service that has an event loop of its own."""
    return await (_grpc_aio if CLIENT == "grpc_aio" else _httpx_async)(NEXT, hops, kind)


_CLIENTS: dict[str, Callable[[str, int, str], str]] = {
    "requests": _requests,
    "httpx": _httpx,
    "httpx_async": _in_loop(_httpx_async),
    "grpc": _grpc,
    "grpc_aio": _in_loop(_grpc_aio),
}


def start_loop() -> None:
    """Let the clients of tasks work in a service of threads."""
    threading.Thread(target=_loop.run_forever, daemon=True).start()
