"""From a path to what the file says."""

from __future__ import annotations

import os

from otel_resilience.config.document import Document
from otel_resilience.config.faults import Fault, PolicyFileError
from otel_resilience.config.schema import read_schema
from otel_resilience.config.specs import FileSpec

#: Bytes. A path that names something else by mistake (a log, a device) must not fill the memory.
_LARGEST = 1 << 20


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
