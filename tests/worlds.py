"""One scenario, both worlds: the same guard driven by the thread driver and by asyncio's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from otel_resilience.flow.guard import Guard


class World(Protocol):
    def call(self, guard: Guard, fn: Callable[[], Any]) -> Any: ...


class Threads:
    def call(self, guard: Guard, fn: Callable[[], Any]) -> Any:
        return guard.call(fn)

    def __repr__(self) -> str:
        return "threads"


class Asyncio:
    """Runs the same plain function as a coroutine."""

    def call(self, guard: Guard, fn: Callable[[], Any]) -> Any:
        async def coroutine() -> Any:
            return fn()

        async def main() -> Any:
            return await guard.acall(coroutine)

        return asyncio.run(main())

    def __repr__(self) -> str:
        return "asyncio"


WORLDS: list[World] = [Threads(), Asyncio()]
