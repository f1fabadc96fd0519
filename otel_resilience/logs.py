"""The correlation id in log lines: a filter for ``logging``, a processor for structlog.

An application names them where it sets its logging up; nothing is installed by itself, for the reasons in
``docs/decisions/0008``.
"""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from typing import Any

from otel_resilience.context import correlation

_KEY = "correlation_id"


class CorrelationFilter(logging.Filter):
    """Puts the id of the request in hand on each record, as ``correlation_id``; no record is dropped.

    Outside of a request it is the empty string, so that ``%(correlation_id)s`` never fails; an empty string is
    no id, as "-" would be. What the application has put there (``extra``) stays. The id is that of the thread
    or task in which the filter runs: of a ``QueueHandler`` and its listener, the handler is where it belongs.
    On a logger it does not see what the loggers below it log; on a handler it sees all that is written.

    Takes no options, holds nothing, never raises; safe for threads and tasks.
    """

    def __init__(self) -> None:
        super().__init__()  # the name that a filter may have would drop what other loggers log

    def filter(self, record: logging.LogRecord) -> bool:
        """Complete ``record``; always true."""
        try:
            record.__dict__.setdefault(_KEY, correlation.current() or "")  # where formatters look
        except Exception:  # noqa: S110 — the line is worth more than the id; to log about it would end up here again
            pass
        return True


def add_correlation_id(
    logger: Any, method_name: str, event_dict: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """The id of the request in hand as ``correlation_id`` in structlog's event; without a request there is no such key.

    A processor, to be listed after ``merge_contextvars`` and before the renderer. A key that is there already
    stays. Never raises; safe for threads and tasks.
    """
    correlation_id = correlation.current()
    if correlation_id is not None:
        try:
            event_dict.setdefault(_KEY, correlation_id)
        except Exception:  # noqa: S110 — no mapping any more, behind a renderer: the line goes out as it is
            pass
    return event_dict
