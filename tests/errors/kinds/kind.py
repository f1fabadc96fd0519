"""One kind of error: the row of the code table that it is for, its code, and how to make one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

_PYTHONS_OWN = {"", "asyncio", "http", "socket", "ssl", "urllib"}


@dataclass(frozen=True)
class Kind:
    """``make`` returns a fresh exception of the library's own class; ``detail`` tells the kinds of one row apart."""

    row: str
    code: str
    make: Callable[[], Exception]
    detail: str = ""

    @property
    def name(self) -> str:
        """May stand in a URL."""
        return f"{self.row}-{self.detail}" if self.detail else self.row

    @property
    def library(self) -> str:
        """Whose row it is: a package's, or Python's own."""
        module = self.row.rpartition(".")[0].partition(".")[0]
        return "Python" if module in _PYTHONS_OWN else module


def caused(error: Exception, cause: BaseException) -> Exception:
    """``error`` as ``raise error from cause`` leaves it."""
    error.__cause__ = cause
    return error
