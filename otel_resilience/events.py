"""What happened, as frozen values named by past participles.

The core announces these and knows nothing of instruments, spans or logs; ``telemetry/`` maps them. A new metric never
touches a policy. All durations are seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

from otel_resilience.outcome import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """What opened a circuit: the root of the failure that tripped it."""

    service: str | None
    code: str
    trace_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Anything that happened to a policy or pipeline called ``name``."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionFinished(Event):
    """One logical call ended. ``counted`` is false inside another guard of the same name."""

    outcome: Outcome
    error_type: str | None
    enforced: bool
    traced: bool
    duration: float
    peer: str | None = None
    counted: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionFailed(Event):
    """A traced call, or the answering of a request, ended with ``error``.

    ``remote``: the story of it began in another service. ``on_span``: the current span is ours to write it on.
    """

    error: BaseException
    error_code: str
    remote: bool
    on_span: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionRejected(Event):
    """A policy of type ``policy_type`` refused a call (or would have, where ``enforced`` is false)."""

    policy_type: str
    reason: str
    enforced: bool
    error_code: str
    retry_after: float | None = None
    cause: Cause | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFinished(Event):
    """One attempt that was sent ended. ``attempt_type`` is ``initial``, ``retry`` or ``hedge``."""

    attempt_type: str
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitStateChanged(Event):
    """A breaker went from one state to another; ``signal`` says why, ``cause`` what failed."""

    state: str
    previous_state: str
    signal: str
    cause: Cause | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryScheduled(Event):
    """Attempt number ``attempt`` (2 is the first retry) will be made after ``delay``."""

    attempt: int
    delay: float
    error_type: str | None
    error_code: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrySuppressed(Event):
    """A failure that the policy would retry is not retried, for ``reason``."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryExhausted(Event):
    """All ``attempts`` that the policy allows were made and failed."""

    attempts: int
    error_type: str | None
    error_code: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryFinished(Event):
    """A retried call ended; ``result`` is one of the four kinds of ``resilience.retry.calls``."""

    result: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionTimedOut(Event):
    """A timeout of ``seconds`` ended a call, found it too late, or (not ``enforced``) would have."""

    seconds: float
    enforced: bool
    outcome: Outcome = Outcome.TIMEOUT


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointEjected(Event):
    """An endpoint (``host:port``) of the service ``name`` is left out for ``seconds`` (or, not ``enforced``, would be)."""

    address: str
    seconds: float
    enforced: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldDiscarded(Event):
    """A field from a peer was ignored; ``reason`` is ``malformed``, ``oversized`` or ``untrusted``."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FallbackExecuted(Event):
    """A fallback stood in for a failure of ``error_type`` (or, not ``enforced``, would have).

    ``outcome`` is what the caller got: ``fallback``, or ``failure`` where the fallback failed itself.
    """

    outcome: Outcome
    enforced: bool
    error_type: str | None
    error_code: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultInjected(Event):
    """A fault stood in for the dependency, or came before it.

    ``latency`` in seconds; ``outcome`` is that of the attempt.
    """

    outcome: Outcome
    latency: float
    error_type: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HedgeStarted(Event):
    """Another attempt, number ``attempt``, was begun while the earlier ones ran, after ``delay`` seconds."""

    attempt: int
    delay: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HedgeFinished(Event):
    """A hedge ended: it won, failed, or (``cancelled``) another attempt was first."""

    outcome: Outcome
