"""The one thread behind a registry: an event loop for its checks and for the ends of leases."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any


class Job:
    """Something that runs behind until it is ended. Safe for threads."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._ended = False
        self._task: asyncio.Task[None] | None = None

    def begin(self, work: Callable[[], Coroutine[Any, Any, None]], tasks: set[asyncio.Task[None]]) -> None:
        """Called in the loop."""
        if self._ended:
            return
        self._task = self._loop.create_task(work())
        tasks.add(self._task)
        self._task.add_done_callback(tasks.discard)

    def end(self) -> None:
        """Cancel it. Does not wait."""
        self._ended = True
        _soon(self._loop, self._cancel)

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()


class Background:
    """Begins with its thread; ends with ``close``. Safe for threads."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._closing = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[], Coroutine[Any, Any, None]]) -> Job:
        """Run ``work`` in the loop; nothing of it runs once the background is closed."""
        job = Job(self._loop)
        _soon(self._loop, job.begin, work, self._tasks)
        return job

    def close_soon(self) -> None:
        """Cancel everything. Does not wait."""
        _soon(self._loop, self._closing.set)

    def join(self, seconds: float) -> None:
        """Wait for the thread's end, at most ``seconds``; not at all in the thread itself."""
        if self._thread is not threading.current_thread():
            self._thread.join(seconds)

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._until_closed())
        finally:
            self._loop.close()

    async def _until_closed(self) -> None:
        await self._closing.wait()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _soon(loop: asyncio.AbstractEventLoop, call: Callable[..., object], *arguments: Any) -> None:
    try:
        loop.call_soon_threadsafe(call, *arguments)
    except RuntimeError:
        pass  # closed: there is nothing left to end, and nothing may begin


def after(seconds: float, call: Callable[[], None]) -> Callable[[], Coroutine[Any, Any, None]]:
    """Work that waits and then calls ``call``, in the loop's thread."""

    async def work() -> None:
        await asyncio.sleep(seconds)
        call()

    return work
