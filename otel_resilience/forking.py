"""What a child process must forget of its parent: locks that somebody else held, and counts of calls it never made."""

from __future__ import annotations

import os
import weakref
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


def _forget_all() -> None:
    for state in list(_known):
        state.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
