"""What a fault injector can be told, checked at birth."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from otel_resilience.exceptions import ConfigurationError
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
            raise ConfigurationError(f"{_POLICY} rate must be a number from 0 to 1, got {self.rate!r}")
        if self.latency is not None:
            checks.seconds_or_zero(_POLICY, "latency", self.latency)
        if not (self.error is None or isinstance(self.error, BaseException) or _makes_errors(self.error)):
            raise ConfigurationError(
                f"{_POLICY} error must be an exception, its type or a factory of it, got {self.error!r}"
            )
        if self.error is not None and self.result is not NO_RESULT:
            raise ConfigurationError(
                f"{_POLICY} result must be absent where error is given, got {self.result!r}"
            )
        if self.when is not None and not callable(self.when):
            raise ConfigurationError(
                f"{_POLICY} when must be a predicate on (args, kwargs), got {self.when!r}"
            )
        if self.max_concurrency is not None:
            checks.at_least(_POLICY, "max_concurrency", self.max_concurrency, 1)

    @property
    def only_delays(self) -> bool:
        """Whether the call goes on after the fault."""
        return self.latency is not None and self.error is None and self.result is NO_RESULT


def _makes_errors(value: object) -> bool:
    return issubclass(value, BaseException) if isinstance(value, type) else callable(value)
