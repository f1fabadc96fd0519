"""How the library is used, as type checkers see it: each line says what type must come of it.

Never run: ``test_typing.py`` has mypy and pyright read it.
"""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, assert_type

from otel_resilience import (
    BreakerState,
    Bulkhead,
    CircuitBreaker,
    Fallback,
    FaultInjector,
    Hedge,
    Pipeline,
    Retry,
    Timeout,
)

T = TypeVar("T")

guard = Pipeline("p", Timeout(1.0), Retry(on=OSError), CircuitBreaker())


@guard
def plain(amount: int, *, currency: str = "EUR") -> str:
    return f"{amount} {currency}"


@Retry(on=OSError)
async def coroutine(amount: int) -> float:
    return float(amount)


@Hedge(after=0.1)
def items(count: int) -> Iterator[int]:
    yield from range(count)


@Fallback(None)
async def aitems(count: int) -> AsyncIterator[str]:
    yield str(count)


@FaultInjector(rate=0.0)
class Connection:
    port = 80

    def __init__(self, host: str) -> None:
        self.host = host


class Shop:
    @guard
    def charge(self, amount: int) -> bytes:
        return bytes(amount)

    @guard
    async def acharge(self, amount: int) -> bytes:
        return bytes(amount)

    @classmethod
    @guard
    def at(cls, place: str) -> str:
        return place

    @staticmethod
    @guard
    def price(amount: int) -> float:
        return float(amount)

    @property
    @guard
    def owner(self) -> str:
        return "somebody"


@guard
@contextmanager
def opened(name: str) -> Iterator[Shop]:
    yield Shop()


@guard
def pair(first: T, second: T) -> tuple[T, T]:
    return first, second


by_ten = guard(functools.partial(int, base=10))


assert_type(plain(3, currency="CHF"), str)
assert_type(items(3), Iterator[int])
assert_type(aitems(3), AsyncIterator[str])
assert_type(Connection("ledger"), Connection)
assert_type(Connection.port, int)
assert_type(Shop().charge(3), bytes)
assert_type(Shop.at("here"), str)
assert_type(Shop.price(3), float)
assert_type(Shop().owner, str)
assert_type(pair(1, 2), tuple[int, int])
assert_type(by_ten("7"), int)
assert_type(guard.call(plain, 3), str)
assert_type(CircuitBreaker().for_key("a").state, BreakerState)
assert_type(Bulkhead.pool("critical").call(len, ""), int)

with opened("shop") as shop:
    assert_type(shop, Shop)

by_name: Callable[[int], Coroutine[Any, Any, float]] = coroutine


async def in_asyncio() -> None:
    assert_type(await coroutine(3), float)
    assert_type(await Shop().acharge(3), bytes)
    assert_type(await guard.acall(coroutine, 3), float)
    assert_type(await guard.acall(plain, 3), str)
    with guard as entered:
        assert_type(entered, Pipeline)
    async with guard as entered:
        assert_type(entered, Pipeline)
