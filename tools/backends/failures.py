"""The one way in which obtaining the backends ends without them."""

from __future__ import annotations


class UnobtainableError(Exception):
    """A backend cannot be had; the message says what is missing and what to do about it."""
