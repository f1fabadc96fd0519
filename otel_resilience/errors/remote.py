"""A failure of another service as an exception of this one."""

from __future__ import annotations

from otel_resilience.errors.adopt import attach
from otel_resilience.errors.chain import ErrorChain
from otel_resilience.errors.redaction import redacted
from otel_resilience.exceptions import ResilienceError


class RemoteError(ResilienceError):
    """A chain that came over a carrier, to be raised here. Its code is the root's, ``chain`` its story.

    Raises ``TypeError`` for what is no chain, as the ``None`` of a carrier without one.
    """

    def __init__(self, chain: ErrorChain) -> None:
        if not isinstance(chain, ErrorChain):
            raise TypeError(f"RemoteError takes the ErrorChain of a carrier that had one, got {chain!r}")
        # The message may be recorded; the chain itself stays in the process.
        super().__init__(f"remote failure: {redacted(chain) or 'withheld'}", retryable=chain.retryable)
        self.error_code = chain.root_cause_code
        self.chain = chain
        attach(self, chain)
