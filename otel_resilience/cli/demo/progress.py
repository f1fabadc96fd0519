"""What the demo is doing, while it does it."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console

from otel_resilience.cli.demo.customer import Phase


class Progress:
    """On a terminal a line that moves, and one that stays for each step; elsewhere only those that stay.

    A context manager.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status = console.status("")
        self._began = time.monotonic()

    def doing(self, what: str) -> None:
        """Something has begun that takes a while."""
        self._status.update(what)

    def done(self, what: str) -> None:
        """Something is done."""
        self._console.print(f"[{time.monotonic() - self._began:5.1f} s] {what}", markup=False)

    def checked_out(self, phase: Phase, number: int, count: int) -> None:
        """The customer has checked out ``number`` times of ``count``."""
        self.doing(f"{phase}: {number} of {count} checkouts")
        if number == count:
            self.done(f"{phase}: {count} checkouts")

    def waiting(self, seconds: float) -> None:
        """The circuit is open for ``seconds`` more."""
        self.doing(f"waiting {seconds:.1f} s until the circuit's open time is over")
        self.done(f"the fault is made good; the circuit stays open for {seconds:.1f} s more")

    def __enter__(self) -> Self:
        self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._status.stop()
