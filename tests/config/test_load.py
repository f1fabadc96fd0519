"""From a path: formats, what cannot be read, and the mode of the environment."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import otel_resilience
from otel_resilience.config.faults import Fault, PolicyFileError
from otel_resilience.config.load import load_config
from otel_resilience.exceptions import ConfigurationError
from otel_resilience.policies.retry.conditions import Codes
from otel_resilience.policies.retry.policy import Retry
from otel_resilience.policies.timeout.policy import Timeout
from tests.config.files import loaded

_YAML = 'services: {a: {timeout: 1s, match: ["a:1"], operations: {"GET /x": {retry: {on: [HTTP_503]}}}}}'
_TOML = """
[services.a]
timeout = "1s"
match = ["a:1"]
[services.a.operations."GET /x".retry]
on = ["HTTP_503"]
"""


def fault_of(path: str | os.PathLike[str]) -> Fault:
    with pytest.raises(PolicyFileError) as caught:
        load_config(path)
    (fault,) = caught.value.faults
    assert str(caught.value) == f"{os.fspath(path)}: {fault}"
    assert caught.value.path == os.fspath(path)
    return fault


@pytest.mark.parametrize(
    ("name", "text"),
    [("a.yaml", _YAML), ("a.yml", _YAML), ("a", _YAML), ("a.toml", _TOML), ("a.TOML", _TOML)],
)
def test_both_formats_say_the_same(tmp_path: Path, name: str, text: str) -> None:
    config = loaded(tmp_path, text, name)
    target = config.find_http("a", 1, "GET", "/x")
    assert target is not None
    timeout, retry = target.pipeline.policies
    assert isinstance(timeout, Timeout)
    assert isinstance(retry, Retry)
    assert (target.operation, timeout.seconds) == ("GET /x", 1.0)
    assert retry.options.on == Codes(frozenset({"HTTP_503"}), written=True)


def test_it_is_a_public_name(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(_YAML)
    assert otel_resilience.load_config(str(tmp_path / "a.yaml")).services == ("a",)


def test_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xef\xbb\xbfmode: off\n")
    assert load_config(tmp_path / "a.yaml").mode == "off"


def test_what_cannot_be_read_is_a_fault_of_the_file(tmp_path: Path) -> None:
    assert fault_of(tmp_path / "none.yaml") == Fault("", None, "cannot be read: No such file or directory")
    assert fault_of(tmp_path) == Fault("", None, "cannot be read: Is a directory")
    assert fault_of("a\0b").reason == "cannot be read: embedded null byte"


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="no such device on this system")
def test_what_has_no_end_is_not_read_to_its_end() -> None:
    assert fault_of("/dev/zero").reason == "is larger than 1048576 bytes, which no policy file is"


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"a: b\nc: \xff\n")
    assert fault_of(tmp_path / "a.yaml") == Fault("", 2, "is not UTF-8")


def test_a_syntax_error_has_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("a = 1\nb\n")
    assert fault_of(tmp_path / "a.toml").line == 2
    (tmp_path / "a.yaml").write_text("a: [\n")
    assert fault_of(tmp_path / "a.yaml").line == 2


def test_a_mode_from_outside_goes_before_every_mode_of_the_file(tmp_path: Path) -> None:
    text = "mode: shadow\nservices: {a: {timeout: 1s, mode: enforce}}"
    assert loaded(tmp_path, text).pipeline("a").mode == "enforce"
    config = loaded(tmp_path, text, mode="off")
    assert (config.mode, config.pipeline("a").mode, config.guarded_services) == ("off", "off", ())


def test_a_mode_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigurationError, match="load_config mode must be one of enforce, shadow, off, got 'on'"
    ):
        loaded(tmp_path, _YAML, mode="on")


def test_no_parser_is_imported_before_there_is_a_file() -> None:
    program = (
        "import sys, otel_resilience; print([n for n in ('yaml', 'tomllib', 'difflib') if n in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"
