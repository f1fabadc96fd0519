"""Something happens at a place where the interpreter looks for signals: where a function begins, and where a call has come back."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable
from types import FrameType

import otel_resilience

PACKAGE = os.path.dirname(otel_resilience.__file__) + os.sep


def happening_at(
    place: int, happens: Callable[[], object], work: Callable[[], object]
) -> tuple[str, int] | None:
    """Run ``work`` in this thread, and ``happens`` at the ``place``-th look inside the package.

    Answers with where that was, ``None`` past the last one.
    """
    looks, met = 0, None

    def profile(frame: FrameType, event: str, argument: object) -> None:
        nonlocal looks, met
        code = frame.f_code
        steps = event in ("call", "return") and not code.co_flags & inspect.CO_GENERATOR
        if met is None and code.co_filename.startswith(PACKAGE) and (steps or event == "c_return"):
            looks += 1
            if looks == place:
                met = (code.co_filename.removeprefix(PACKAGE), frame.f_lineno)
                happens()

    sys.setprofile(profile)
    try:
        work()
    finally:
        sys.setprofile(None)
    return met
