"""A policy as the text that makes it: what was said of it, and nothing that goes without saying."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any

#: Characters of a value that are worth reading.
_LONGEST = 200


def shown(kind: str, name: str | None, options: Any, *, but: tuple[str, ...] = ()) -> str:
    """``kind('name', option=value, …)`` with the options that are not their defaults, as code would write them."""
    said = [] if name is None else [repr(name)]
    said += [
        f"{field.name}={said_of(getattr(options, field.name))}"
        for field in fields(options)
        if field.name not in but and not _goes_without_saying(getattr(options, field.name), field)
    ]
    return f"{kind}({', '.join(said)})"


def said_of(value: Any) -> str:
    """``value`` as code would write it."""
    if isinstance(value, type):
        return value.__name__
    if isinstance(value, tuple):
        return f"({', '.join(map(said_of, value))}{',' if len(value) == 1 else ''})"
    return f"{value:g}" if isinstance(value, float) else told(value)


def told(value: object) -> str:
    """``value`` in one line of bounded length, whatever it is."""
    try:
        text = " ".join(repr(value).splitlines())
    except Exception:  # an int of too many digits, a ``__repr__`` that raises
        return f"<{type(value).__name__}>"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _goes_without_saying(value: Any, field: Any) -> bool:
    default = field.default_factory() if field.default_factory is not MISSING else field.default
    try:
        return value is default or bool(value == default)
    except Exception:  # users' values may not be comparable
        return False
