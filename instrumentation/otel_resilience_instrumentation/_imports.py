"""Patch a library when it is imported, and never import one for the sake of patching it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from types import ModuleType

import wrapt

_log = logging.getLogger("otel_resilience")


def when_imported(name: str, patch: Callable[[ModuleType], None]) -> None:
    """Call ``patch`` with the module ``name``: now if it is imported already, else right after it is.

    What ``patch`` raises is logged and goes no further: the application's import succeeds. A registration is for good.
    """

    def guarded(module: ModuleType) -> None:
        try:
            patch(module)
        except Exception:
            _log.exception("%s could not be instrumented and runs as it is", name)

    wrapt.register_post_import_hook(guarded, name)
