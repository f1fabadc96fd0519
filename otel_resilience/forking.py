"""What a child process must forget of its parent: locks that somebody else held, and counts of calls it never made."""

from __future__ import annotations

import os
import threading
import weakref
from types import TracebackType
from typing import Protocol


class Forgetful(Protocol):
    """State of one process."""

    def forget(self) -> None:
        """Be as new; called where no other thread runs, and without taking any lock of the parent's."""
        ...


_known: weakref.WeakSet[Forgetful] = weakref.WeakSet()


def forget_after_fork(state: Forgetful) -> None:
    """Let every child that is forked begin with ``state`` as new; ``state`` is held weakly."""
    _known.add(state)


class ProcessLock:
    """A lock for what lives as long as the process: whoever holds it in the parent, in a forked child nobody does.

    The thread that holds it must not fork.
    """

    def __init__(self) -> None:
        self.forget()
        forget_after_fork(self)

    def forget(self) -> None:
        """Be held by nobody."""
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._lock.release()


def _forget_all() -> None:
    for state in list(_known):
        state.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
