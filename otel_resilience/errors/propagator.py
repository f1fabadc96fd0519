"""Error chains by hand: for queues, and for code that no instrumentation covers."""

from __future__ import annotations

import re
from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime
from typing import TypeVar

from otel_resilience import clock
from otel_resilience.context import request, service
from otel_resilience.errors.adopt import attach, error_chain
from otel_resilience.errors.chain import ErrorChain
from otel_resilience.errors.codecs import error_chain as codec
from otel_resilience.errors.codecs.carriers import CHAIN_FIELD, get_field
from otel_resilience.errors.failed_call import FailedCall
from otel_resilience.errors.reading import read_error
from otel_resilience.events import FieldDiscarded
from otel_resilience.exceptions import ResilienceError, current_identity
from otel_resilience.listener import LISTENERS
from otel_resilience.outcome import Failure

E = TypeVar("E", bound=BaseException)


class RemoteError(ResilienceError):
    """A failure that came over a carrier, to be raised here. Its code is that of the root, ``chain`` its story."""

    def __init__(self, chain: ErrorChain) -> None:
        super().__init__(f"remote failure: {chain}", retryable=chain.retryable)
        self.error_code = chain.root_cause_code
        self.chain = chain
        attach(self, chain)
