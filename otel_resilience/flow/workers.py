"""Threads for calls that their caller may have to leave behind: few, named, and never in the way of the interpreter's exit."""

from __future__ import annotations

import itertools
import queue
import threading
from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from typing import TypeAlias

from otel_resilience.forking import forget_after_fork

_Work: TypeAlias = tuple[Callable[[], None], Callable[[], object] | None]

#: Seconds after which a thread without work ends.
IDLE_SECONDS = 5.0


class WorkerPool:
    """At most ``most`` threads called ``otel-resilience {name}``, begun when they are needed.

    They are daemons, so a call that hangs never delays the exit of the interpreter. Safe for threads; a forked
    child begins with none.
    """

    def __init__(self, name: str, most: int) -> None:
        self.name = name
        self.most = most
        self.forget()
        forget_after_fork(self)

    def forget(self) -> None:
        """Begin anew, with a lock that nobody holds."""
        # Guards the three below; no work is done under it. It may be taken again by who holds it: a signal handler may
        # make a call wherever its thread is.
        self._lock = threading.RLock()
        self._idle: list[Worker] = []
        self._threads = 0
        self._closed = False
        self._numbers = itertools.count(1)

    @property
    def threads(self) -> int:
        """Threads that live, at work or waiting for it."""
        return self._threads

    def reserve(self) -> Worker | None:
        """A thread that is nobody else's until it is released; ``None`` where all are in use."""
        with self._lock:
            if self._idle:
                return self._idle.pop()
            if self._closed or self._threads >= self.most:
                return None
            self._threads += 1
            number = next(self._numbers)
        worker = Worker(self, f"otel-resilience {self.name} #{number}")
        if not worker.start():
            with self._lock:
                self._threads -= 1
            return None
        return worker

    def take_back(self, worker: Worker) -> None:
        """``worker`` is free, its work done."""
        with self._lock:
            if not self._closed:
                self._idle.append(worker)
                return
            self._threads -= 1
        worker.stop()

    def close(self) -> None:
        """End the threads that wait for work at once, the others when they have done theirs.

        No work is taken any more.
        """
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            self._threads -= len(idle)
        for worker in idle:
            worker.stop()

    def dismiss(self, worker: Worker) -> bool:
        """Whether ``worker`` may end: it has waited long enough and nobody has reserved it since."""
        with self._lock:
            if worker not in self._idle:
                return False
            self._idle.remove(worker)
            self._threads -= 1
            return True


class Worker:
    """One thread of a pool, reserved by one call.

    Run as often as wanted, one function at a time, then release once.
    """

    def __init__(self, pool: WorkerPool, name: str) -> None:
        self._pool = pool
        self._inbox: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._lock = threading.Lock()  # guards the two below
        self._busy = False
        self._released = False
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)

    def start(self) -> bool:
        """Begin; ``False`` where the machine or an ending interpreter gives no thread."""
        try:
            self._thread.start()
        except RuntimeError:
            return False
        return True

    def run(self, function: Callable[[], None], then: Callable[[], object] | None = None) -> bool:
        """Let the thread call ``function``, which must not raise, in a copy of this context; ``False`` while it is at work.

        ``then`` is called by the thread when it may be run again.
        """
        with self._lock:
            if self._busy:
                return False
            self._busy, self._released = True, False
        self._inbox.put((partial(copy_context().run, function), then))
        return True

    def release(self) -> None:
        """Let others have it: now, or when what it does at the moment has ended."""
        with self._lock:
            if self._busy:
                self._released = True
                return
        self._pool.take_back(self)

    def stop(self) -> None:
        """End the thread; nobody may have it any more."""
        self._inbox.put(None)

    def _work(self) -> None:
        while True:
            try:
                work = self._inbox.get(timeout=IDLE_SECONDS)
            except queue.Empty:
                if self._pool.dismiss(self):
                    return
                continue
            if work is None:
                return
            function, then = work
            function()
            del work, function  # what it holds must not live until the next work comes
            with self._lock:
                self._busy = False
                released, self._released = self._released, False
            if released:
                self._pool.take_back(self)
            if then is not None:
                then()
            del then
