"""Undoing what was set in a context variable, wherever the end of it is met."""

from __future__ import annotations

from contextvars import ContextVar, Token
from typing import TypeVar

T = TypeVar("T")


def leave(variable: ContextVar[T], token: Token[T]) -> bool:
    """Undo ``variable.set``, and say whether it was done in this context.

    In another one, which ends with what was set in it, nothing is to be undone.
    """
    try:
        variable.reset(token)
    except ValueError:  # a generator or coroutine that somebody else closes, a block left elsewhere
        return False
    return True
