"""A function that fails as often as it is told."""

from __future__ import annotations

from collections.abc import Callable

from otel_resilience import Backoff


class Flaky:
    """Fails ``failures`` times, then returns ``value``."""

    def __init__(
        self, failures: int, value: object = "done", error: Callable[[], BaseException] = OSError
    ) -> None:
        self.failures = failures
        self.value = value
        self.error = error
        self.calls = 0

    def __call__(self) -> object:
        self.calls += 1
        if self.calls <= self.failures:
            raise self.error()
        return self.value


def no_wait() -> Backoff:
    return Backoff(initial=0.0)
