"""One service's part in a failure."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from otel_resilience.exceptions import is_code


class HopKind(StrEnum):
    """Where a failure was met: here, in a peer, at one of our own policies, or at the end of the time."""

    LOCAL = "local"
    REMOTE = "remote"
    REJECTED = "rejected"
    TIMEOUT = "timeout"

    @property
    def is_consequence(self) -> bool:
        """Whether such a failure follows from others, and is the cause only where there is no other: a refusal by a policy."""
        return self is HopKind.REJECTED


# All zeros is the invalid id of W3C Trace Context.
TRACE_ID = re.compile(r"(?!0{32})[0-9a-f]{32}")
SPAN_ID = re.compile(r"(?!0{16})[0-9a-f]{16}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """A service that a failure came through.

    ``retryable``: another try may help. ``exhausted``: its own retries are used up. ``trace_id`` is 32,
    ``span_id`` 16 hex digits. ``timestamp`` is ``None`` after a wire. ``unknown``: parameters that a later
    version sent, kept to be sent on. Raises ``ValueError`` for a code that is not ``UPPER_SNAKE`` of at most
    63 characters, and for an id of another form or all zero.
    """

    service: str
    code: str
    operation: str | None = None
    version: str | None = None
    kind: HopKind = HopKind.LOCAL
    retryable: bool = False
    trace_id: str | None = None
    span_id: str | None = None
    timestamp: datetime | None = None
    exhausted: bool = False
    unknown: tuple[tuple[str, int | Decimal | str | bytes | bool], ...] = ()

    def __post_init__(self) -> None:
        if not is_code(self.code):
            raise ValueError(f"Hop code must be UPPER_SNAKE, at most 63 characters, got {self.code!r}")
        if self.trace_id is not None and TRACE_ID.fullmatch(self.trace_id) is None:
            raise ValueError(
                f"Hop trace_id must be 32 lower-case hex digits, not all zero, got {self.trace_id!r}"
            )
        if self.span_id is not None and SPAN_ID.fullmatch(self.span_id) is None:
            raise ValueError(
                f"Hop span_id must be 16 lower-case hex digits, not all zero, got {self.span_id!r}"
            )
        if type(self.code) is not str:
            # Of a member of an enumeration that is a str too, its value: str() and format() may say something else.
            object.__setattr__(self, "code", str.__str__(self.code))
        if type(self.kind) is not HopKind:
            object.__setattr__(self, "kind", HopKind(self.kind))

    def passing_on(self) -> Hop:
        """This hop after another one: what decides on retries, and where it was met, is the root's word alone."""
        return replace(self, retryable=False, kind=HopKind.LOCAL)
