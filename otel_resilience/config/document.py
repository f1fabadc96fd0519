"""A file as plain values, with the line of each of them where the format knows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from otel_resilience.config.faults import Fault, Path, written


@dataclass(frozen=True, slots=True)
class Document:
    """``value`` is made of dicts with text keys, lists and scalars; ``faults`` are those of the format itself."""

    value: Any
    lines: Mapping[Path, int] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()

    def line(self, path: Path) -> int | None:
        """The line of ``path``, or of the nearest thing around it; ``None`` where the format tells no lines."""
        for end in range(len(path), -1, -1):
            line = self.lines.get(path[:end])
            if line is not None:
                return line
        return None

    def fault(self, path: Path, reason: str) -> Fault:
        """A fault at ``path``."""
        return Fault(written(path), self.line(path), reason)
