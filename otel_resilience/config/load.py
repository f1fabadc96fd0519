"""From a path to a ``Config``."""

from __future__ import annotations

import os

from otel_resilience.config.config import Config
from otel_resilience.config.document import Document
from otel_resilience.config.faults import Fault, PolicyFileError
from otel_resilience.config.schema import read_schema
from otel_resilience.config.specs import FileSpec
from otel_resilience.exceptions import ConfigurationError
from otel_resilience.outcome import Mode

#: Bytes. A path that names something else by mistake (a log, a device) must not fill the memory.
_LARGEST = 1 << 20


def load_config(path: str | os.PathLike[str], *, mode: str | None = None) -> Config:
    """The policies of the YAML or TOML file at ``path``.

    ``mode`` (``enforce``, ``shadow``, ``off``) goes before every mode in the file, as ``OTEL_RESILIENCE_MODE`` does. Raises
    ``ConfigurationError`` where the file is missing, unreadable or wrong: its ``.faults`` are all of them, each with ``.path``, ``.line``
    and ``.reason``, and its text is one line. The file is read once; the ``Config`` is safe for threads.
    """
    if mode is not None and mode not in [*Mode]:
        raise ConfigurationError(f"load_config mode must be one of {', '.join(Mode)}, got {mode!r}")
    return Config(read_policy_file(path), mode=None if mode is None else Mode(mode))


def read_policy_file(path: str | os.PathLike[str]) -> FileSpec:
    """What the file says, without making any policy. Raises as ``load_config`` does."""
    name = os.fspath(path)
    text = _text(name)
    return read_schema(name, _document(name, text))


def _document(name: str, text: str) -> Document:
    # Each process reads one format, most read none: a parser is imported where it is needed.
    if os.path.splitext(name)[1].lower() == ".toml":
        from otel_resilience.config.toml_document import read_toml

        return read_toml(text)
    from otel_resilience.config.yaml_document import read_yaml

    return read_yaml(text)


def _text(name: str) -> str:
    try:
        with open(name, "rb") as file:
            content = file.read(_LARGEST + 1)
    except OSError as error:
        raise _unreadable(name, f"cannot be read: {error.strerror or error}") from error
    except ValueError as error:  # a null character in the name
        raise _unreadable(name, f"cannot be read: {error}") from error
    if len(content) > _LARGEST:
        raise _unreadable(name, f"is larger than {_LARGEST} bytes, which no policy file is")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise PolicyFileError(name, [Fault("", line, "is not UTF-8")]) from error


def _unreadable(name: str, reason: str) -> PolicyFileError:
    return PolicyFileError(name, [Fault("", None, reason)])
