"""``httpx`` in both worlds, spoken to in one way."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Self

import httpx

#: Makes clients of one of the two worlds.
Make = Callable[..., Any]


class InAThread:
    """A sync client, spoken to as an async one is."""

    def __init__(self, **options: Any) -> None:
        self.client = httpx.Client(**options)

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        return functools.partial(asyncio.to_thread, getattr(self.client, name))

    @asynccontextmanager
    async def stream(self, method: str, url: str) -> AsyncIterator[httpx.Response]:
        with self.client.stream(method, url) as response:
            yield response

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *ending: object) -> None:
        self.client.close()
