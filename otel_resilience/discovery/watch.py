"""Somebody who wants to know when the endpoints of a service change."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from otel_resilience.discovery.endpoint import Endpoint

_log = logging.getLogger("otel_resilience")


class Watch:
    """A callback with a thread of its own, so that one that hangs holds up nobody.

    Told the newest list only: what came and went while it was busy is never told. One that raises is logged,
    and told the next time.
    """

    def __init__(self, service: str, callback: Callable[[list[Endpoint]], None]) -> None:
        self.service = service
        self._callback = callback
        self._ended = False
        self.forget()

    def forget(self) -> None:
        """Be as new, and end no later for it: in a forked child the thread does not run, and may have held the lock."""
        # Guards what was ended and what is newest; the callback runs outside.
        self._changed = threading.Condition()
        self._newest: list[Endpoint] | None = None
        self._thread = threading.Thread(
            target=self._run, name=f"otel-resilience-watch-{self.service}", daemon=True
        )

    def start(self) -> None:
        self._thread.start()

    def offer(self, endpoints: list[Endpoint]) -> None:
        """The endpoints are these now. Does not wait."""
        with self._changed:
            self._newest = endpoints
            self._changed.notify()

    def end(self) -> None:
        """No call begins from now on; one that has begun is not interrupted. Does not wait."""
        with self._changed:
            self._ended = True
            self._changed.notify()

    def join(self, seconds: float) -> None:
        """Wait for the thread's end, at most ``seconds``; not at all in the thread itself."""
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join(seconds)

    def _run(self) -> None:
        told: list[Endpoint] | None = None
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._ended or self._newest is not None)
                if self._ended:
                    return
                newest, self._newest = self._newest, None
            if newest is None or newest == told:
                continue
            told = newest
            try:
                self._callback(list(newest))
            except BaseException:  # nobody is above: an exit would end this watch and nothing else, unheard
                _log.exception("a watch of service %r raised", self.service)
