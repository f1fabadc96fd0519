"""Inheritance: maps merge deeply, ``None`` removes, everything else replaces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Tree = dict[str, Any]


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> Tree:
    """``over`` upon ``base``; neither is changed, and no ``None`` is left."""
    result: Tree = dict(base)
    for key, value in over.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping):
            beneath = result.get(key)
            result[key] = merged(beneath if isinstance(beneath, Mapping) else {}, value)
        else:
            result[key] = value
    return result
