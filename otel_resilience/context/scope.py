"""A block in which context variables have other values; for threads and tasks alike."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Token
from types import TracebackType
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class ContextScope(Generic[T]):
    """``with`` and ``async with`` over ``enter() -> (value, token)`` and ``leave(token)``.

    Entered once, left in the same context.
    """

    __slots__ = ("_enter", "_leave", "_token")

    def __init__(
        self, enter: Callable[[], tuple[T, Token[Any]]], leave: Callable[[Token[Any]], None]
    ) -> None:
        self._enter = enter
        self._leave = leave
        self._token: Token[Any] | None = None

    def __enter__(self) -> T:
        if self._token is not None:
            raise RuntimeError("a scope is entered once; ask for another one")
        value, self._token = self._enter()
        return value

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        if self._token is not None:
            self._leave(self._token)

    async def __aenter__(self) -> T:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, at)
