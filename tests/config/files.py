"""Policy files for tests."""

from __future__ import annotations

import textwrap
from pathlib import Path

from otel_resilience.config.config import Config
from otel_resilience.config.faults import Fault, PolicyFileError
from otel_resilience.config.load import load_config
from otel_resilience.config.schema import read_schema
from otel_resilience.config.specs import FileSpec
from otel_resilience.config.yaml_document import read_yaml


def spec_of(text: str) -> FileSpec:
    """What a YAML text says."""
    return read_schema("resilience.yaml", read_yaml(textwrap.dedent(text)))


def config_of(text: str) -> Config:
    """The policies of a YAML text."""
    return Config(spec_of(text))


def faults_of(text: str) -> list[str]:
    """What is wrong with a YAML text, a line each."""
    return [str(fault) for fault in fault_values_of(text)]


def fault_values_of(text: str) -> tuple[Fault, ...]:
    try:
        spec_of(text)
    except PolicyFileError as error:
        return error.faults
    return ()


def loaded(directory: Path, text: str, name: str = "resilience.yaml", mode: str | None = None) -> Config:
    """A file with ``text`` in ``directory``, loaded."""
    file = directory / name
    file.write_text(textwrap.dedent(text), encoding="utf-8")
    return load_config(file, mode=mode)
