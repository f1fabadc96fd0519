"""What a breaker learns from the end of a call: the table of outcome and verdict."""

from __future__ import annotations

from otel_resilience.flow.call import Call
from otel_resilience.flow.gate import Ending
from otel_resilience.outcome import Failure, Outcome, Verdict
from otel_resilience.policies.circuit_breaker.options import CircuitBreakerOptions


def verdict_of(options: CircuitBreakerOptions, call: Call, ending: Ending) -> Verdict:
    """Read ``ending`` as a breaker of ``options`` does. Raises what a predicate of the user's raises."""
    if call.late or (ending.begun and call.overdue() and not isinstance(ending.result, Failure)):
        return Verdict.FAILURE
    outcome = call.outcome_of(ending.result, begun=ending.begun, elapsed=ending.elapsed)
    if outcome is Outcome.TIMEOUT:
        return Verdict.FAILURE
    if outcome in (Outcome.CANCELLED, Outcome.REJECTED):
        return Verdict.IGNORED
    reading = call.reading(ending.result)
    if reading.verdict is not None:
        return reading.verdict
    if isinstance(ending.result, Failure):
        return Verdict.FAILURE if options.is_failure(ending.result.error) else Verdict.IGNORED
    judged = options.failure_results
    return Verdict.FAILURE if judged is not None and judged(ending.result.value) else Verdict.SUCCESS
