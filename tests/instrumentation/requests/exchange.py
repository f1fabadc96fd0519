"""What peers of ``requests`` answer and how often they are asked, for tests."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import requests
from requests.adapters import BaseAdapter

from otel_resilience_instrumentation._settings import Runtime

CHAIN = '"ledger";c=DB_UNAVAILABLE;t="0af7651916cd43dd8448eb211c80319c";s="b7ad6b7169203331";r'


Settings = Callable[..., Runtime]


class OutsideWorld(BaseAdapter):
    """Stands for hosts that no test may reach."""

    def __init__(self, status: int = 200, **headers: str) -> None:
        super().__init__()
        self.status = status
        self.headers = headers
        self.asked: list[dict[str, str]] = []

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        self.asked.append(dict(request.headers))
        response = requests.Response()
        response.status_code = self.status
        response.url = request.url or ""
        response.headers.update({name.replace("_", "-"): value for name, value in self.headers.items()})
        response.request = request
        response.raw = io.BytesIO(b"")
        return response

    def close(self) -> None:
        pass


RETRY = "retry: {max_attempts: 3, backoff: {initial: 1ms, jitter: none}}"
