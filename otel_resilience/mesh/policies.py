"""Which policies a mesh puts around a call: those set in code before those of the policy file."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from otel_resilience.flow.guard import Guard
from otel_resilience.forking import forget_after_fork
from otel_resilience.outcome import Mode

#: Outermost first, by their keys in the policy file.
ORDER = (
    "fallback",
    "timeout",
    "rate_limiter",
    "bulkhead",
    "retry",
    "hedge",
    "circuit_breaker",
    "attempt_timeout",
    "fault",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """What a policy file says of one call.

    ``operation`` is the key of the file that matched; ``policies`` by their keys. ``idempotent`` is ``None``
    where the file does not say.
    """

    operation: str | None = None
    policies: Mapping[str, Guard] = field(default_factory=dict)
    idempotent: bool | None = None
    mode: Mode = Mode.ENFORCE


class PolicyFile(Protocol):
    """What a mesh needs of a policy file."""

    def stated_for(self, service: str, operation: str) -> Stated | None:
        """What the file says of calls of ``operation``; ``None`` where it does not know the service."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The policies of one call, outermost first. ``key`` is equal for calls that share them.

    ``repeatable``: whether this operation may be sent twice, ``None`` where nobody said. ``retries_by_code``:
    a retry was set for all of the service.
    """

    key: tuple[str | None, str | None]
    policies: tuple[Guard, ...]
    mode: Mode
    repeatable: bool | None
    retries_by_code: bool


class MeshPolicies:
    """Safe for threads: what is set is copied on writing, and read without a lock."""

    def __init__(self, file: PolicyFile | None) -> None:
        self._file = file
        self._set: Mapping[tuple[str, str | None], Mapping[str, Guard | None]] = {}
        self.forget()
        forget_after_fork(self)

    def forget(self) -> None:
        """Have a lock that nobody holds."""
        self._lock = threading.Lock()  # guards writing

    def adopt(self, file: PolicyFile | None) -> None:
        """Take ``file`` where there is none."""
        if self._file is None:
            self._file = file

    def set(self, service: str, operation: str | None, kind: str, policy: Guard | None) -> None:
        """Put ``policy`` where the file's would be; ``None``: there is to be none."""
        with self._lock:
            known = self._set.get((service, operation), {})
            self._set = {**self._set, (service, operation): {**known, kind: policy}}

    def plan(self, service: str, operation: str) -> Plan:
        """What goes around a call of ``operation``."""
        stated = self._file.stated_for(service, operation) if self._file is not None else None
        stated = stated or Stated()
        own = self._set.get((service, operation))
        code = {**self._set.get((service, None), {}), **(own or {})}
        merged: dict[str, Guard | None] = {**stated.policies, **code}
        if code.get("retry") is not None:
            merged.pop("hedge", None)  # one of the two is enough: attempts would multiply
        policies = [merged.get(kind) for kind in ORDER]
        return Plan(
            key=(None if own is None else operation, stated.operation),
            policies=tuple(policy for policy in policies if policy is not None),
            mode=stated.mode,
            repeatable=True if own is not None and own.get("retry") is not None else stated.idempotent,
            retries_by_code=code.get("retry") is not None,
        )
