"""Attributes of objects that are not ours: looked at while a failure is told, where a second one must not take its place."""

from __future__ import annotations


def peek(x: object, name: str) -> object | None:
    """The attribute ``name`` of ``x``; ``None`` where there is none, or where reading it raises."""
    try:
        value: object = getattr(x, name, None)
    except Exception:  # a property, or a __getattr__, of somebody else's class
        return None
    return value
