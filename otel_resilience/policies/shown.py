"""A policy as the text that makes it: what was said of it, and nothing that goes without saying."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any


def shown(kind: str, name: str | None, options: Any, *, but: tuple[str, ...] = ()) -> str:
    """``kind('name', option=value, …)`` with the options that are not their defaults, as code would write them."""
    said = [] if name is None else [repr(name)]
    said += [
        f"{field.name}={_value(getattr(options, field.name))}"
        for field in fields(options)
        if field.name not in but and getattr(options, field.name) != _default(field)
    ]
    return f"{kind}({', '.join(said)})"


def _default(field: Any) -> Any:
    return field.default_factory() if field.default_factory is not MISSING else field.default


def _value(value: Any) -> str:
    if isinstance(value, type):
        return value.__name__
    if isinstance(value, tuple):
        return f"({', '.join(map(_value, value))}{',' if len(value) == 1 else ''})"
    return f"{value:g}" if isinstance(value, float) else repr(value)
