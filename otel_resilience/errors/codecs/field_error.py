"""Why a field of a peer is ignored."""

from __future__ import annotations

from typing import Literal

Reason = Literal["malformed", "oversized"]


class FieldError(ValueError):
    """A field that cannot be read; ``reason`` is a ``resilience.discard.reason``."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason: Reason = reason


def malformed(message: str) -> FieldError:
    return FieldError("malformed", message)


def check_size(text: str, most: int) -> None:
    """Refuse what is longer than ``most`` bytes, before anything looks inside."""
    if (
        len(text) > most
    ):  # a structured field is ASCII: whatever has more bytes than characters fails in the parser
        raise FieldError("oversized", f"at most {most} bytes are read, got {len(text)}")
