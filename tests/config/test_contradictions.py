"""What only the merged policies contradict, said where it arises."""

from __future__ import annotations

import pytest

from tests.config.files import faults_of


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        (
            "defaults: {timeout: 2s}\nservices:\n  a: {attempt_timeout: 2s}\n  b: {attempt_timeout: 1s}\n",
            ["line 3: services.a.attempt_timeout: attempt_timeout must be < timeout (2), got 2.0"],
        ),
        # A narrower total is the very use of operations.
        (
            "services:\n  a:\n    timeout: 2s\n    attempt_timeout: 1s\n    operations:\n      R: {timeout: 500ms}\n",
            [],
        ),
        # Two services inherit one contradiction: it is said once, where it is written.
        (
            "defaults:\n  circuit_breaker: {recovery_max: 10s}\nservices:\n  a: {}\n  b: {}\n",
            [
                "line 2: defaults.circuit_breaker.recovery_max: recovery_max must be >= recovery_timeout (30), got 10.0"
            ],
        ),
        (
            "defaults:\n  circuit_breaker: {recovery_max: 10s}\nservices:\n  a: {circuit_breaker: {recovery_timeout: 5s}}\n",
            [],
        ),
        (
            "defaults:\n  circuit_breaker: {recovery_max: 40s}\nservices:\n  a: {}\n  b: {circuit_breaker: {recovery_timeout: 50s}}\n",
            [
                "line 5: services.b.circuit_breaker.recovery_timeout: "
                "recovery_max must be >= recovery_timeout (50), got 40.0"
            ],
        ),
        # What a removal leaves contradicts: it is said at the removal.
        (
            "defaults:\n  circuit_breaker: {recovery_timeout: 5s, recovery_max: 10s}\n"
            "services:\n  a: {circuit_breaker: {recovery_timeout: null}}\n",
            [
                "line 4: services.a.circuit_breaker.recovery_timeout: "
                "recovery_max must be >= recovery_timeout (30), got 10.0"
            ],
        ),
        (
            "defaults: {retry: {backoff: {initial: 40s}}}",
            ["line 1: defaults.retry.backoff.initial: max must be >= initial (40), got 30.0"],
        ),
    ],
)
def test_contradictions_are_found_after_merging_and_said_where_they_arise(
    text: str, faults: list[str]
) -> None:
    assert faults_of(text) == faults
