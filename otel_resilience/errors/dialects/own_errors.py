"""Our errors as the client's own: a class that is both, so that the ``except`` clauses of its users keep working."""

from __future__ import annotations

from typing import Any

from otel_resilience.exceptions import ResilienceError, restored

_made: dict[tuple[type[ResilienceError], type[Exception]], type[ResilienceError]] = {}


def both(ours: type[ResilienceError], theirs: type[Exception]) -> type[ResilienceError]:
    """The class that is ``ours`` and ``theirs``, made once for a pair."""
    known = _made.get((ours, theirs))
    if known is not None:
        return known
    members = {
        "__module__": ours.__module__,
        "__doc__": f"{ours.__doc__} For users of the client it is also a {theirs.__name__}.",
        # Known by its two classes: a module does not have it, and neither has another process before it makes it.
        "__reduce__": lambda error: (_restored, (ours, theirs, error.args, vars(error))),
    }
    # Two threads may both make one; the first that is kept is everybody's.
    return _made.setdefault((ours, theirs), type(ours.__name__, (ours, theirs), members))


def _restored(
    ours: type[ResilienceError], theirs: type[Exception], args: tuple[Any, ...], state: dict[str, Any]
) -> ResilienceError:
    return restored(both(ours, theirs), args, state)


def as_both(error: ResilienceError, theirs: type[Exception], **attributes: Any) -> ResilienceError:
    """``error`` as an instance of the class that is also ``theirs``, with all that it knows and the client's ``attributes``."""
    if isinstance(error, theirs):
        return error
    kind = both(type(error), theirs)
    twin = kind.__new__(kind)
    vars(twin).update(attributes)
    vars(twin).update(vars(error))
    twin.args = error.args
    twin.__cause__, twin.__context__ = error.__cause__, error.__context__
    twin.__suppress_context__ = error.__suppress_context__
    return twin.with_traceback(error.__traceback__)
