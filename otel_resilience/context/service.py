"""Which service this process is: the name and version that its own hops carry."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Service(NamedTuple):
    """Name and version as the telemetry provider's resource has them."""

    name: str
    version: str | None = None


UNKNOWN = Service("unknown_service")
_find: Callable[[], Service] = lambda: UNKNOWN  # noqa: E731 — a variable that is replaced, not a function


def current() -> Service:
    """This process's service."""
    return _find()


def use(find: Callable[[], Service]) -> None:
    """Say how the service is found (the composition root does; the provider may be set up later than we are)."""
    global _find
    _find = find
