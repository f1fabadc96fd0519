"""What is decorated stays what it was: classes, partials, methods of all kinds, objects that can be called."""

from __future__ import annotations

import abc
import asyncio
import functools
import inspect
import io
import pickle
from typing import Any

import pytest

from otel_resilience import (
    CircuitBreaker,
    Fallback,
    FaultInjectedError,
    FaultInjector,
    Hedge,
    Pipeline,
    Retry,
)
from otel_resilience.events import ExecutionFinished
from otel_resilience.testing import Recorder
from tests.flow.flaky import Flaky, no_wait

outages = Flaky(0)


@Retry("connections", on=OSError, backoff=no_wait())
class Connection:
    """To somewhere."""

    def __init__(self, host: str, *, port: int = 80) -> None:
        outages()
        self.host = host
        self.port = port


class Secure(Connection):
    def __init__(self, host: str) -> None:
        super().__init__(host, port=443)


def test_a_class_stays_a_class_and_its_construction_is_guarded(seen: Recorder) -> None:
    assert isinstance(Connection, type)
    assert (Connection.__name__, Connection.__doc__) == ("Connection", "To somewhere.")
    assert list(inspect.signature(Connection).parameters) == ["host", "port"]
    outages.failures, outages.calls = 2, 0
    made = Connection("ledger")
    assert type(made) is Connection
    assert (made.host, made.port, outages.calls) == ("ledger", 80, 3)
    assert len(seen.of(ExecutionFinished)) == 1


def test_a_subclass_is_guarded_too_and_keeps_its_own_signature() -> None:
    outages.failures, outages.calls = 1, 0
    made = Secure("ledger")
    assert (type(made), made.port, outages.calls) == (Secure, 443, 2)
    assert list(inspect.signature(Secure).parameters) == ["host"]
    assert isinstance(made, Connection)


def test_a_guarded_object_can_be_pickled() -> None:
    outages.failures = 0
    assert pickle.loads(pickle.dumps(Connection("ledger"))).host == "ledger"


def test_several_guards_of_one_class_are_around_one_another(seen: Recorder) -> None:
    @Pipeline("outer", Retry(on=FaultInjectedError, max_attempts=2, backoff=no_wait()))
    @Pipeline("inner", FaultInjector(rate=1))
    class Twice:
        pass

    with pytest.raises(FaultInjectedError):
        Twice()
    assert [f.name for f in seen.of(ExecutionFinished)] == ["inner", "inner", "outer"]


def test_guarded_classes_can_be_bases_of_one_and_have_metaclasses_of_their_own() -> None:
    @CircuitBreaker()
    class One(abc.ABC):
        @abc.abstractmethod
        def work(self) -> None: ...

    @CircuitBreaker()
    class Other:
        pass

    class Both(One, Other):
        def work(self) -> None: ...

    assert isinstance(Both(), One)
    with pytest.raises(TypeError, match="abstract"):
        One()  # type: ignore[abstract]  # the point


def test_a_class_that_only_makes_is_guarded_in_its_making() -> None:
    flaky = Flaky(1)

    @Retry(on=OSError, backoff=no_wait())
    class Point(tuple[int, ...]):
        __slots__ = ()

        def __new__(cls, *numbers: int) -> Any:
            flaky()
            return super().__new__(cls, numbers)

    assert Point(1, 2) == (1, 2)
    assert type(Point(1)) is Point
    assert flaky.calls == 3


def test_nothing_stands_in_for_an_object() -> None:
    @Fallback(None)
    class Broken:
        def __init__(self) -> None:
            raise OSError

    with pytest.raises(TypeError, match=r"nothing can stand in for the construction of .*Broken"):
        Broken()


def test_one_object_is_not_built_twice_at_once() -> None:
    built = []

    @Hedge(after=0.0)
    class Slow:
        def __init__(self) -> None:
            built.append(self)

    made = Slow()
    assert built == [made]


def test_a_class_that_cannot_be_changed_is_named() -> None:
    with pytest.raises(TypeError, match="BytesIO cannot be guarded"):
        CircuitBreaker()(io.BytesIO)


def test_partials_and_bound_methods(seen: Recorder) -> None:
    class Shop:
        def charge(self, amount: int, currency: str) -> str:
            return f"{amount} {currency}"

    guard = CircuitBreaker()
    assert guard(functools.partial(Shop().charge, currency="EUR"))(3) == "3 EUR"
    assert guard(Shop().charge)(4, "CHF") == "4 CHF"
    assert guard.name is not None
    assert guard.name.endswith("Shop.charge")
    assert len(seen.of(ExecutionFinished)) == 2


async def test_partials_and_objects_of_coroutine_functions_are_awaited() -> None:
    class Client:
        async def __call__(self, item: int) -> int:
            raise OSError(item)

    async def fail(item: int) -> int:
        raise OSError(item)

    for fn in (functools.partial(fail, 3), functools.partial(Client(), 3)):
        breaker = CircuitBreaker(failure_threshold=1)
        with pytest.raises(OSError):
            await breaker(fn)()
        assert breaker.state == "open"
        with pytest.raises(TypeError, match="use acall"):
            breaker.call(fn)


def test_a_plain_function_that_gives_a_coroutine_is_named() -> None:
    """Nobody would guard it: the guard learns that it was made, and never how it ended."""

    async def fail() -> None:
        raise OSError

    @functools.wraps(fail)
    def wrapper() -> Any:  # as many decorators are written
        return fail()

    guard = CircuitBreaker(failure_threshold=1)
    for call in (guard(wrapper), lambda: guard.call(wrapper)):
        with pytest.raises(TypeError, match=r"fail gave a coroutine.*use acall"):
            call()
    assert guard.state == "closed"
    with pytest.raises(OSError):
        asyncio.run(guard.acall(wrapper))
    assert guard.state == "open"

    for quiet in (Pipeline("p", CircuitBreaker(), mode="shadow"), Pipeline("p", mode="off")):
        with pytest.raises(OSError):
            asyncio.run(quiet(wrapper)())


def test_static_and_class_methods_in_either_order() -> None:
    guard = CircuitBreaker("methods")

    class Shop:
        @guard
        @staticmethod
        def outside(amount: int) -> int:
            return amount

        @staticmethod
        @guard
        def inside(amount: int) -> int:
            return amount

        @guard  # type: ignore[arg-type]  # Python's types do not call a classmethod callable
        @classmethod
        def made_by(cls) -> Any:
            return cls

    assert [Shop.outside(1), Shop().outside(2), Shop.inside(3)] == [1, 2, 3]
    assert Shop.made_by() is Shop  # type: ignore[misc]  # the same


def test_what_cannot_be_called_cannot_be_guarded() -> None:
    with pytest.raises(TypeError, match="guards functions, methods and classes, got 3"):
        CircuitBreaker()(3)  # type: ignore[call-overload]  # the point
