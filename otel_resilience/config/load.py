"""From a path to a ``Config``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from otel_resilience.exceptions import ConfigurationError
from otel_resilience.outcome import Mode

if TYPE_CHECKING:
    from otel_resilience.config.config import Config


def load_config(path: str | os.PathLike[str], *, mode: str | None = None) -> Config:
    """The policies of the YAML or TOML file at ``path``.

    ``mode`` (``enforce``, ``shadow``, ``off``) goes before every mode in the file, as
    ``OTEL_RESILIENCE_MODE`` does. Raises ``ConfigurationError`` where the file is missing, unreadable or
    wrong: its ``.faults`` are all of them, each with ``.path``, ``.line`` and ``.reason``, and its text is
    one line. The file is read once; the ``Config`` is safe for threads.
    """
    # A process without a policy file pays nothing for this room: it is a third of what the whole package costs to import.
    from otel_resilience.config.config import Config
    from otel_resilience.config.read import read_policy_file

    if mode is not None and mode not in [*Mode]:
        raise ConfigurationError(f"load_config mode must be one of {', '.join(Mode)}, got {mode!r}")
    return Config(read_policy_file(path), mode=None if mode is None else Mode(mode))
