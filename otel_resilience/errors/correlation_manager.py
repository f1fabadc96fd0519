"""Correlation by hand: ids, the way of a request, and errors that know both."""

from __future__ import annotations

from contextvars import Token
from datetime import UTC, datetime

from otel_resilience import clock
from otel_resilience.context import correlation, path
from otel_resilience.context import service as services
from otel_resilience.context.path import Step
from otel_resilience.context.scope import ContextScope
from otel_resilience.errors.codecs.carriers import valid_correlation_id
from otel_resilience.exceptions import ConfigurationError, DomainError


class CorrelatedError(DomainError):
    """A coded error that knows its request: id, service, time and the way that the request had taken."""

    def __init__(
        self,
        code: str,
        message: str,
        *,
        correlation_id: str | None,
        service: str,
        timestamp: datetime,
        request_path: tuple[Step, ...],
    ) -> None:
        super().__init__(code, message)
        self.correlation_id = correlation_id
        self.service = service
        self.timestamp = timestamp
        self.request_path = request_path


class CorrelationManager:
    """Generates, sets and reads correlation ids, follows the way of a request, makes errors that carry both.

    All managers see the same context, which is that of the plugin too: an id that came with a request is
    ``current()``, and one that is set here goes out with guarded calls. Holds nothing; safe for threads and
    tasks, of which none sees another's.
    """

    def generate(self) -> str:
        """A new id: 128 random bits as 32 hex digits. It is nobody's until a scope takes it."""
        return correlation.generate()

    def current(self) -> str | None:
        """The id of the request in hand, ``None`` outside of one."""
        return correlation.current()

    def scope(self, id: str | None = None) -> ContextScope[str]:  # noqa: A002 — the contract's word
        """``with manager.scope(id) as id:`` works under ``id``, or under a new one where none is given or it does not fit.

        An id fits that is ``[A-Za-z0-9._-]{1,128}``. Also ``async with``.
        """

        def enter() -> tuple[str, Token[str | None]]:
            fits = isinstance(id, str) and valid_correlation_id(id)
            chosen = id if fits and id is not None else correlation.generate()
            return chosen, correlation.enter(chosen)

        return ContextScope(enter, correlation.leave)

    def enter(self, service: str, operation: str) -> ContextScope[Step]:
        """``with manager.enter("orders", "place"):`` is one step of the request's way. Also ``async with``.

        Raises ``ConfigurationError`` for names that are empty or no text.
        """
        for field, value in (("service", service), ("operation", operation)):
            if not isinstance(value, str) or not value:
                raise ConfigurationError(
                    f"CorrelationManager {field} must be a text that is not empty, got {value!r}"
                )
        step = Step(service, operation)
        return ContextScope(lambda: (step, path.enter(step)), path.leave)

    def request_path(self) -> tuple[Step, ...]:
        """The steps around the code that runs, outermost first: pairs of service and operation."""
        return path.current()

    def error(self, code: str, message: str, service: str | None = None) -> CorrelatedError:
        """A coded error, to be raised, that knows the request in hand.

        ``service`` is by default that of the innermost step, else this process's. Raises
        ``ConfigurationError`` for a code that is not ``UPPER_SNAKE``.
        """
        steps = path.current()
        return CorrelatedError(
            code,
            message,
            correlation_id=correlation.current(),
            service=service or (steps[-1].service if steps else services.current().name),
            timestamp=datetime.fromtimestamp(clock.current().wall(), UTC),
            request_path=steps,
        )
