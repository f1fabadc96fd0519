"""How a call that waits is told to go on, by another call that ended: in another thread, or on another event loop."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Wakeup:
    """Given once, from any thread. It knows no world: whoever waits says how it is to be reached."""

    __slots__ = ("_call", "_given", "_lock")

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards both fields; nothing is called under it
        self._given = False
        self._call: Callable[[], object] | None = None

    def subscribe(self, call: Callable[[], object]) -> None:
        """Be reached by ``call``, in the thread of whoever gives the wakeup; at once if it has been given."""
        with self._lock:
            given, self._call = self._given, call
        if given:
            call()

    def give(self) -> bool:
        """Wake who waits. False if nobody can be reached any more: the event loop that waited is closed."""
        with self._lock:
            self._given, call = True, self._call
        try:
            if call is not None:
                call()
        except RuntimeError:
            return False
        return True
