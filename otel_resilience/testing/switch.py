"""Policies switched off, for tests of what they guard."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from otel_resilience.flow import switch


class resilience_off:  # noqa: N801 — reads like the statement that it is
    """``with resilience_off():`` every guard of the process lets calls through as if it were not there.

    Nothing is counted, waited for or refused, in any thread or task. May be nested.
    """

    def __enter__(self) -> Self:
        switch.turn_off()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        switch.turn_on()
