"""Who is told of events, and who draws spans: hooks that the core calls and telemetry fills.

A listener runs after the policy's lock is released, in the thread of the call. It cannot hurt: one that raises is
dropped and logged once. It cannot re-enter: what happens while it runs is not announced to it again.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from otel_resilience.events import Event
from otel_resilience.forking import ProcessLock

if TYPE_CHECKING:
    from otel_resilience.outcome import Outcome

_log = logging.getLogger("otel_resilience")

Listener = Callable[[Event], None]


class Fanout:
    """The listeners of this process. Safe to use from any thread: the tuple is swapped, never changed."""

    def __init__(self) -> None:
        self._listeners: tuple[Listener, ...] = ()
        self._lock = ProcessLock()  # guards the swap only; no listener runs under it
        self._running = threading.local()

    @property
    def active(self) -> bool:
        return bool(self._listeners)

    def add(self, listener: Listener) -> None:
        with self._lock:
            if listener not in self._listeners:
                self._listeners += (listener,)

    def remove(self, listener: Listener) -> None:
        with self._lock:
            self._listeners = tuple(known for known in self._listeners if known != listener)

    def announce(self, event: Event) -> None:
        """Tell every listener of ``event``. Never raises an ``Exception``."""
        for listener in self._listeners:
            self._tell(listener, event)

    def _tell(self, listener: Listener, event: Event) -> None:
        running: list[Listener] = self._running.__dict__.setdefault("stack", [])
        if listener in running:
            return
        running.append(listener)
        try:
            listener(event)
        except Exception:
            self.remove(listener)
            _log.exception("a listener raised on %s and is dropped: %r", type(event).__name__, listener)
        finally:
            running.pop()


LISTENERS = Fanout()


class AttemptScope(Protocol):
    """One attempt as a span, where the attempt is not a client's own span."""

    def finish(self, outcome: Outcome, error: BaseException | None) -> None: ...


class CallScope(Protocol):
    """One logical call as a span, current while the call runs."""

    def attempt_started(self, number: int) -> AttemptScope | None: ...

    def finish(self, summary: CallSummary) -> None: ...


class CallSummary(Protocol):
    """What a finished call tells its span; all names are those of the span attributes."""

    @property
    def outcome(self) -> Outcome: ...
    @property
    def attempts(self) -> int: ...
    @property
    def retry_delay_total(self) -> float: ...
    @property
    def breaker_state(self) -> str | None: ...
    @property
    def rejection_reason(self) -> str | None: ...
    @property
    def error_type(self) -> str | None: ...
    @property
    def error(self) -> BaseException | None: ...
    @property
    def failed_call(self) -> object | None: ...


class Tracing(Protocol):
    """Makes the span of a traced call. ``is_client``: attempts have CLIENT spans of their own."""

    def call_started(self, name: str, peer: str | None, is_client: bool) -> CallScope | None: ...


_tracing: Tracing | None = None


def tracing() -> Tracing | None:
    """Who draws spans in this process, if anybody does."""
    return _tracing


def use_tracing(tracing: Tracing | None) -> None:
    """Say who draws spans in this process (the composition root does)."""
    global _tracing
    _tracing = tracing
