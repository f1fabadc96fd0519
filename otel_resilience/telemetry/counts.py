"""The counts behind the observable instruments: plain ints in tables, exact under threads."""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from typing import TypeAlias

from otel_resilience.forking import forget_after_fork
from otel_resilience.telemetry.names import ERROR_TYPE, METRICS, OTHER, VALUES, Metric

Value: TypeAlias = str | bool | None
Series: TypeAlias = tuple[Value, ...]

#: How many different values of ``error.type`` a process reports; classes that are made at run time must not fill a backend.
MAX_ERROR_TYPES = 64

_ERROR_TYPE_AT = {
    metric.name: metric.attributes.index(ERROR_TYPE) for metric in METRICS if ERROR_TYPE in metric.attributes
}


class Counts:
    """How often each series of each metric was counted. Safe for threads; a forked child begins at zero.

    Bounded: ``error.type`` by ``MAX_ERROR_TYPES``, each table by its metric's ``max_series``.
    """

    def __init__(self) -> None:
        self.forget()
        forget_after_fork(self)

    def forget(self) -> None:
        """Begin at zero, with a lock that nobody holds."""
        # Guards the tables; one addition happens under it. Reentrant: the garbage collector may end a call in the midst of it, and
        # that is counted too.
        self._lock = threading.RLock()
        # Each count in a list of its own: added to in one step, whatever the collector does before and after.
        self._tables: defaultdict[str, dict[Series, list[int]]] = defaultdict(dict)
        self._error_types: set[str] = set()
        self._pid = os.getpid()

    def add(self, metric: Metric, *values: Value) -> None:
        """One more for ``metric`` with ``values``, in the order of its attributes; ``None`` where an optional one is absent."""
        # Forked by a server that is no Python program, and calls no handler of Python's.
        if self._pid != os.getpid():
            self.forget()
        at = _ERROR_TYPE_AT.get(metric.name)
        with self._lock:
            if at is not None:
                values = (*values[:at], self._bounded(values[at]), *values[at + 1 :])
            table = self._tables[metric.name]
            if values not in table and len(table) >= metric.max_series:
                values = _overflow(metric, values)
            table.setdefault(values, [0])[0] += 1

    def bounded_error_type(self, error_type: str | None) -> str | None:
        """``error_type``, or ``_OTHER`` where this process has reported too many different ones."""
        with self._lock:
            bounded = self._bounded(error_type)
        return bounded if isinstance(bounded, str) else None

    def read(self, metric: Metric) -> dict[Series, int]:
        """The count of every series of ``metric``, consistent with one another."""
        with self._lock:
            # A copy first: the collector may end a call, and so add a series, wherever objects are made.
            return {series: count[0] for series, count in self._tables[metric.name].copy().items()}

    def _bounded(self, error_type: Value) -> Value:
        if not isinstance(error_type, str) or error_type in self._error_types:
            return error_type
        if len(self._error_types) >= MAX_ERROR_TYPES:
            return OTHER
        self._error_types.add(error_type)
        return error_type


def _overflow(metric: Metric, values: Series) -> Series:
    """The series for what has no place of its own: values of closed sets are kept, they cannot be many."""
    return tuple(
        OTHER if isinstance(value, str) and attribute not in VALUES else value
        for attribute, value in zip(metric.attributes, values, strict=True)
    )
