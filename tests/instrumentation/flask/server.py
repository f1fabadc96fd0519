"""A Flask application on a real server, and a caller that knows nothing of us."""

from __future__ import annotations

import http.client
import threading
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from werkzeug.serving import make_server


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


class FlaskServer:
    """``application`` on loopback. In use inside ``with``."""

    def __init__(self, application: Any) -> None:
        self._server = make_server("127.0.0.1", 0, application, threaded=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def ask(self, method: str, path: str, **headers: str) -> Answer:
        """One request; ``x_correlation_id=`` is ``x-correlation-id``."""
        connection = http.client.HTTPConnection("127.0.0.1", self._server.port, timeout=10)
        try:
            connection.request(
                method, path, headers={name.replace("_", "-"): value for name, value in headers.items()}
            )
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, found, response.read())
        finally:
            connection.close()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
