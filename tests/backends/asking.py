"""Asking servers over HTTP, and waiting until an answer is the one hoped for."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from typing import Any, TypeVar

ANSWER_SECONDS = 5.0
BETWEEN_LOOKS_SECONDS = 0.1

Answer = TypeVar("Answer")

# Whoever listens on a free port is on this machine; a proxy of the environment is not to be asked.
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def get(url: str, **parameters: str) -> bytes:
    """The body of a GET; raises `urllib.error.URLError` for an unreachable server or a status that is not 2xx."""
    query = f"?{urllib.parse.urlencode(parameters)}" if parameters else ""
    with _direct.open(url + query, timeout=ANSWER_SECONDS) as answer:
        body: bytes = answer.read()
    return body


def get_json(url: str, **parameters: str) -> Any:
    """The JSON of a GET, or None where the server says that there is no such thing (404)."""
    try:
        return json.loads(get(url, **parameters))
    except urllib.error.HTTPError as refused:
        if refused.code == 404:
            return None
        raise


def eventually(look: Callable[[], Answer | None], what: str, within: float = 20.0) -> Answer:
    """Look until the answer is true, and return it; AssertionError with the last answer after `within` seconds."""
    end = time.monotonic() + within
    while True:
        answer = look()
        if answer:
            return answer
        if time.monotonic() >= end:
            raise AssertionError(f"not within {within:g} s: {what}; the last answer was {answer!r}")
        time.sleep(BETWEEN_LOOKS_SECONDS)
