"""Every fault of a file at once, each where it stands, in words that name value and rule."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_resilience.config.document import Document
from otel_resilience.config.faults import Fault, PolicyFileError, did_you_mean, shown, written
from otel_resilience.config.schema import read_schema
from otel_resilience.exceptions import ConfigurationError
from tests.config.files import fault_values_of, faults_of, loaded

_HERE = Path(__file__).parent


def test_a_file_with_everything_wrong() -> None:
    expected = (_HERE / "faulty.txt").read_text(encoding="utf-8").splitlines()
    assert faults_of((_HERE / "faulty.yaml").read_text(encoding="utf-8")) == expected


def test_the_error_is_one_line_that_begins_with_the_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        loaded(tmp_path, "services:\n  a:\n    retry: {max_attempts: 0}\n    timeout: -1s\n    'x\\ny': 1\n")
    error = caught.value
    assert isinstance(error, PolicyFileError | ValueError)
    assert str(error) == (
        f"{tmp_path}/resilience.yaml: "
        "line 3: services.a.retry.max_attempts: must be a whole number >= 1, got 0; "
        "line 4: services.a.timeout: must be a duration such as 250ms, 2s or 1m, or a number of seconds, got '-1s'; "
        'line 5: services.a."x\\\\ny": unknown key; known are attempt_timeout, bulkhead, circuit_breaker, endpoints, '
        "fault, hedge, match, mode, operations, rate_limiter, retry, timeout"
    )
    assert error.error_code == "CONFIGURATION_INVALID"


def test_faults_are_values() -> None:
    assert fault_values_of("services:\n  a: {timeout: 0}\n") == (
        Fault("services.a.timeout", 2, "must be seconds > 0, got 0"),
    )


def test_toml_faults_have_no_line(tmp_path: Path) -> None:
    with pytest.raises(PolicyFileError) as caught:
        loaded(
            tmp_path, "[services.a]\ntimeout = 2001-01-01\n[services.a.retry]\nmax_attempts = 1.5\n", "a.toml"
        )
    assert [fault.line for fault in caught.value.faults] == [None, None]
    assert str(caught.value).startswith(f"{tmp_path}/a.toml: services.a.timeout: must be a duration")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            "services: {a: {fallback: {}}}",
            "line 1: services.a.fallback: fallback can be said in code alone",
        ),
        (
            "services: {a: {discovery: {dns: x}}}",
            "line 1: services.a.discovery: discovery is not supported by this version",
        ),
        (
            "services: {a: {circuit_breaker: {window_calls: 0}}}",
            "line 1: services.a.circuit_breaker.window_calls: must be a whole number >= 1, got 0",
        ),
        (
            "service: 3",
            "line 1: service: must be a service's name: a text that can be printed, and not empty, got 3",
        ),
        ("services: [a]", "line 1: services: must be a map, got a list"),
        ("- a", "line 1: must be a map, got a list"),
        ("hello", "line 1: must be a map, got 'hello'"),
        ("mode: false", "line 1: mode: must be one of enforce, shadow, off, got false"),
        ("propagation: on", "line 1: propagation: must be one of internal, edge, off, all, got 'on'"),
        (
            "services: {a: {match: ['*']}}",
            "line 1: services.a.match[0]: must be host, host:port, *.domain or grpc:package.Service, got '*'",
        ),
        (
            "services: {a: {retry: {on: []}}}",
            "line 1: services.a.retry.on: must be a list of error codes (UPPER_SNAKE, at most 63 characters), at least one, got an empty list",
        ),
        (
            "services: {a: {retry: {on: [HTTP_503, db down]}}}",
            "line 1: services.a.retry.on[1]: must be an error code (UPPER_SNAKE, at most 63 characters), got 'db down'",
        ),
        (
            "services: {a: {retry: {max_attempts: 1.0}}}",
            "line 1: services.a.retry.max_attempts: must be a whole number >= 1, got 1.0",
        ),
        (
            "services: {a: {retry: {max_attempts: true}}}",
            "line 1: services.a.retry.max_attempts: must be a whole number >= 1, got true",
        ),
        (
            f"services: {{a: {{retry: {{max_attempts: {'9' * 400}}}}}}}",
            f"line 1: services.a.retry.max_attempts: must be a number of at most 18 digits, got {'9' * 60}…",
        ),
        (
            "services: {a: {retry: {backoff: {factor: .nan}}}}",
            "line 1: services.a.retry.backoff.factor: must be a number >= 1, got nan",
        ),
        ("services: {a: {timeout: .inf}}", "line 1: services.a.timeout: must be seconds > 0, got inf"),
    ],
)
def test_one_fault(text: str, fault: str) -> None:
    assert faults_of(text) == [fault]


def test_a_value_that_names_another_option_is_a_fault_all_the_same() -> None:
    assert faults_of("services: {a: {retry: {backoff: {factor: initial, jitter: max}}}}") == [
        "line 1: services.a.retry.backoff.factor: must be a number >= 1, got 'initial'",
        "line 1: services.a.retry.backoff.jitter: must be one of full, equal, decorrelated, none, got 'max'",
    ]


def test_hints() -> None:
    assert did_you_mean("max_attemps", ["max_attempts", "on"]) == "did you mean max_attempts?"
    assert did_you_mean("zzz", ["b", "a"]) == "known are a, b"
    assert did_you_mean("zzz", []) == "none is known here"


def test_paths_as_people_write_them() -> None:
    assert (
        written(("services", "*", "operations", "POST /x", "match", 2))
        == 'services.*.operations."POST /x".match[2]'
    )
    assert written(("a.b", "c\nd\ud800")) == '"a.b"."c\\nd\\ud800"'


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "nothing"),
        (True, "true"),
        ({}, "a map"),
        ([], "an empty list"),
        ([1], "a list"),
        ("x\n", "'x\\n'"),
    ],
)
def test_values_are_shown_on_one_line(value: object, text: str) -> None:
    assert shown(value) == text


def test_a_number_too_long_for_a_line_is_named() -> None:
    assert shown(1 << 20000) == "a number with thousands of digits"


_WORDS = st.sampled_from(
    [
        "mode",
        "defaults",
        "services",
        "timeout",
        "retry",
        "on",
        "off",
        "circuit_breaker",
        "match",
        "endpoints",
        "operations",
        "idempotent",
        "max_attempts",
        "backoff",
        "initial",
        "max",
        "jitter",
        "budget",
        "ratio",
        "force",
        "recovery_max",
        "recovery_timeout",
        "attempt_timeout",
        "propagation",
        "service",
        "*",
        "a",
        "POST /x",
        "Charge",
        "2s",
        "1ms",
        "open",
        "full",
    ]
)
_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | _WORDS | st.text(max_size=5)
_TREES = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(_WORDS | st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(
    _TREES
    | st.builds(lambda entry: {"services": {"a": entry}}, _TREES)
    | st.builds(lambda entry: {"defaults": entry}, _TREES)
)
def test_any_document_is_read_or_refused_with_faults(value: object) -> None:
    try:
        read_schema("f", Document(value))
    except PolicyFileError as error:
        assert error.faults
        assert "\n" not in str(error)
