"""What those who build on a registry may rely on (the mesh does), whatever it keeps its instances in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from otel_resilience.discovery.endpoint import Endpoint

#: Chooses one endpoint at each call; prepared once for a set of endpoints, so that a choice costs next to nothing.
Selector = Callable[[], Endpoint]


class Registry(Protocol):
    """Safe to use from any thread; nothing here waits for the network, a watcher or a health check."""

    def spelled(self, host: str) -> str | None:
        """The name, ever registered, that a URL's ``host`` is in some case, at next to no cost; ``None`` for no service."""
        ...

    def discover(self, name: str, version: str | None = None, tags: Iterable[str] = ()) -> Endpoint:
        """One healthy endpoint by the registry's balancing.

        Raises ``ServiceNotFoundError``, ``NoHealthyEndpointError``.
        """
        ...

    def discover_all(self, name: str, version: str | None = None, tags: Iterable[str] = ()) -> list[Endpoint]:
        """All healthy endpoints, maybe none. Raises ``ServiceNotFoundError``."""
        ...

    def instances(self, name: str) -> list[Endpoint]:
        """All endpoints that are there, healthy or not. Raises ``ServiceNotFoundError``."""
        ...

    def selector(self, endpoints: Sequence[Endpoint]) -> Selector:
        """The registry's balancing over ``endpoints`` (at least one) of the caller's choice."""
        ...

    def using(self, endpoint: Endpoint) -> AbstractContextManager[Endpoint]:
        """A call to ``endpoint`` is under way inside the block: what ``least_request`` and draining count."""
        ...

    def watch(self, name: str, callback: Callable[[list[Endpoint]], None]) -> Callable[[], None]:
        """Tell ``callback`` the healthy endpoints, now and at every change, on a thread of its own; returns what ends it."""
        ...

    def close(self) -> None:
        """End what runs behind, within 1 s."""
        ...
