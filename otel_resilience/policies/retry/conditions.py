"""Which failures a retry answers to: exception types, a predicate, or codes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from otel_resilience.errors import codes
from otel_resilience.errors.reading import Reading
from otel_resilience.outcome import Failure, Result
from otel_resilience.policies.conditions import Errors, answers


@dataclass(frozen=True, slots=True)
class Codes:
    """Failures by their code, as a policy file names them.

    ``written``: the list was written down; then the codes decide even where a chain says that a retry may help.
    """

    codes: frozenset[str] = codes.RETRY_DEFAULT | {"SERVICE_TIMEOUT"}
    written: bool = False

    def __repr__(self) -> str:
        return f"Codes({', '.join(sorted(self.codes))})" if self.written else "Codes()"


On = Errors | Codes


def asks_for_retry(
    on: On, results: Callable[[Any], bool] | None, result: Result[Any], reading: Reading
) -> bool:
    """Whether ``result`` is of the kind that the policy retries, before any reason against it is looked at."""
    if isinstance(on, Codes):
        return reading.failed and _matches(on, reading)
    if isinstance(result, Failure):
        return answers(on, result.error)
    return results is not None and bool(results(result.value))


def _matches(on: Codes, reading: Reading) -> bool:
    if reading.chain is None:
        if reading.code == "SERVICE_TIMEOUT":
            # Only as the end of an attempt: when the whole call timed out there is no time to retry in.
            return reading.retryable and "SERVICE_TIMEOUT" in on.codes
        return _is_named(on, reading)
    if not on.written:
        return True  # the chain's own word decides, in ``is_final``
    return _is_named(on, reading) or reading.chain.root.code in on.codes


def _is_named(on: Codes, reading: Reading) -> bool:
    # Where a gRPC answer gives a reason, that is its code; whoever named the status meant this answer too.
    return reading.code in on.codes or reading.error_type in on.codes


def is_final(reading: Reading) -> bool:
    """Whether the peer's chain says that no retry will help."""
    return reading.chain is not None and not reading.chain.root.retryable
