"""How a request ended, whichever transport it came by: whether a hop begins there, and whose word it is."""

from __future__ import annotations

from dataclasses import dataclass

from otel_resilience.errors import codes
from otel_resilience.errors.dialects.http import is_failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a request ended. ``status`` is HTTP's, ``grpc_status`` the name of gRPC's; one of them, or neither is known.

    ``error``: the uncaught exception, or the one that made the answer. ``code``: what the application itself says of
    its answer, as the reason of an ``ErrorInfo``.
    """

    status: int | None = None
    grpc_status: str | None = None
    error: Exception | None = None
    code: str | None = None

    @property
    def begins_a_hop(self) -> bool:
        if self.error is not None:
            return True
        if self.grpc_status is not None:
            return self.grpc_status in codes.GRPC_FAILURES
        return self.status is not None and is_failure(self.status)

    @property
    def is_own_refusal(self) -> bool:
        """Whether the service refused by itself, whatever had failed before: 429 begins a chain of its own."""
        return self.error is None and self.status == 429

    @property
    def answered_code(self) -> str:
        """The code of the answer itself, whatever made it."""
        if self.status is None:
            return self.grpc_status or codes.INTERNAL
        return f"HTTP_{self.status}"

    @property
    def is_a_peers_answer(self) -> bool:
        """Whether ``error`` only says what a dependency answered well: its 404 is not what this service answers."""
        if self.error is None:
            return False
        code = codes.code_of(self.error)
        grpc_status = codes.grpc_status(self.error)
        if grpc_status is not None:
            return code == grpc_status and grpc_status not in codes.GRPC_FAILURES
        status = codes.http_status(self.error)
        return status is not None and code == f"HTTP_{status}" and not is_failure(status)
