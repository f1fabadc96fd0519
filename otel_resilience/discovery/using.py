"""That a call to an endpoint is under way."""

from __future__ import annotations

from types import TracebackType

from otel_resilience.discovery.balancing.load import Load
from otel_resilience.discovery.endpoint import Endpoint


class Using:
    """Counts one call while its block runs, a block in a coroutine too. Waits for nothing."""

    __slots__ = ("_endpoint", "_load")

    def __init__(self, load: Load, endpoint: Endpoint) -> None:
        self._load = load
        self._endpoint = endpoint

    def __enter__(self) -> Endpoint:
        self._load.begin(self._endpoint.key)
        return self._endpoint

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._load.end(self._endpoint.key)
