"""``httpx`` and ``httpx2`` in both worlds, spoken to in one way."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import ModuleType
from typing import Any, Self


class InAThread:
    """A sync client, spoken to as an async one is."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        return functools.partial(asyncio.to_thread, getattr(self.client, name))

    @asynccontextmanager
    async def stream(self, method: str, url: str) -> AsyncIterator[Any]:
        with self.client.stream(method, url) as response:
            yield response

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *ending: object) -> None:
        self.client.close()


class World:
    """Makes clients of ``library``, for tasks or for threads."""

    def __init__(self, library: ModuleType, *, threads: bool) -> None:
        self.library: Any = library
        self.threads = threads

    def client(self, **options: Any) -> Any:
        if self.threads:
            return InAThread(self.library.Client(**options))
        return self.library.AsyncClient(**options)
