"""Everything that is announced, kept."""

from __future__ import annotations

from types import TracebackType
from typing import Self, TypeVar

from otel_resilience.events import Event
from otel_resilience.listener import LISTENERS

E = TypeVar("E", bound=Event)


class Recorder:
    """Keeps every event of the process while in use inside ``with``. Safe for threads."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def of(self, kind: type[E]) -> list[E]:
        """The events of one kind, in order."""
        return [event for event in self.events if isinstance(event, kind)]

    def __call__(self, event: Event) -> None:
        self.events.append(event)

    def __enter__(self) -> Self:
        LISTENERS.add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        LISTENERS.remove(self)
