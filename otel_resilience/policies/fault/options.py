"""What a fault injector can be told, checked at birth."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from otel_resilience.policies import checks

_POLICY = "FaultInjector"

When = Callable[[tuple[Any, ...], Mapping[str, Any]], bool]
Error = BaseException | type[BaseException] | Callable[[], BaseException]


class NoResult:
    """Stands for a result that was not given, as ``None`` may be one."""

    def __repr__(self) -> str:
        return "NO_RESULT"


NO_RESULT: Final = NoResult()


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultInjectorOptions:
    """``latency`` in seconds. See ``FaultInjector`` for what each one means."""

    rate: float = 1.0
    latency: float | None = None
    error: Error | None = None
    result: Any = NO_RESULT
    when: When | None = None
    max_concurrency: int | None = None

    def __post_init__(self) -> None:
        if checks.number_at_least(_POLICY, "rate", self.rate, 0.0) > 1.0:
            raise checks.fault(_POLICY, "rate", self.rate, "a number from 0 to 1")
        if self.latency is not None:
            checks.seconds_or_zero(_POLICY, "latency", self.latency)
        if not (self.error is None or isinstance(self.error, BaseException) or _makes_errors(self.error)):
            raise checks.fault(_POLICY, "error", self.error, "an exception, its type or a factory of it")
        if self.error is not None and self.result is not NO_RESULT:
            raise checks.fault(_POLICY, "result", self.result, "absent where error is given")
        if self.when is not None and not callable(self.when):
            raise checks.fault(_POLICY, "when", self.when, "a predicate on (args, kwargs)")
        if self.max_concurrency is not None:
            checks.at_least(_POLICY, "max_concurrency", self.max_concurrency, 1)

    @property
    def only_delays(self) -> bool:
        """Whether the call goes on after the fault."""
        return self.latency is not None and self.error is None and self.result is NO_RESULT


def _makes_errors(value: object) -> bool:
    return issubclass(value, BaseException) if isinstance(value, type) else callable(value)
