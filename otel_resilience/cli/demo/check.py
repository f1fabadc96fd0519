"""One thing that must be so, and what is so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """``what`` names the thing in words, ``where`` the checkout; it holds where ``seen`` equals ``wanted``."""

    what: str
    wanted: Any
    seen: Any
    where: str = ""

    @property
    def holds(self) -> bool:
        """Whether it is so."""
        return bool(self.wanted == self.seen)

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        return f"{place}{self.what}: must be {self.wanted!r}, is {self.seen!r}"
