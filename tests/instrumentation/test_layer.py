"""The layer that stays outermost: over official patches in every order, and the very objects restored."""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable, Collection, Iterator
from types import ModuleType
from typing import Any

import pytest
import wrapt
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor
from opentelemetry.instrumentation.utils import unwrap

from otel_resilience_instrumentation import _layer
from otel_resilience_instrumentation._layer import Layer


def original(*path: str) -> tuple[str, ...]:
    """The library's own."""
    return (*path, "original")


@pytest.fixture
def library() -> ModuleType:
    module = ModuleType("library")
    module.send = original  # type: ignore[attr-defined]  # a module's attributes are its own
    return module


@pytest.fixture
def layer(library: ModuleType) -> Iterator[Layer]:
    made = Layer(library, "send", _marks("ours"))
    yield made
    made.deactivate()


def _marks(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def make(inner: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *path: inner(*path, name)

    return make


def by_functools(library: ModuleType) -> type[BaseInstrumentor]:
    """Patches as the official instrumentation of requests does."""

    class Official(BaseInstrumentor):
        def instrumentation_dependencies(self) -> Collection[str]:
            return ()

        def _instrument(self, **kwargs: Any) -> None:
            wrapped = library.send

            @functools.wraps(wrapped)
            def send(*path: str) -> Any:
                return wrapped(*path, "official")

            send.official_applied = True  # type: ignore[attr-defined]  # its mark, which functools.wraps copies
            library.send = send  # type: ignore[attr-defined]

        def _uninstrument(self, **kwargs: Any) -> None:
            if getattr(library.send, "official_applied", False):
                library.send = library.send.__wrapped__  # type: ignore[attr-defined]

    return Official


def by_wrapt(library: ModuleType) -> type[BaseInstrumentor]:
    """Patches as the official instrumentation of grpc does."""

    class Official(BaseInstrumentor):
        def instrumentation_dependencies(self) -> Collection[str]:
            return ()

        def _instrument(self, **kwargs: Any) -> None:
            wrapt.wrap_function_wrapper(
                library, "send", lambda wrapped, _, args, kw: wrapped(*args, "official", **kw)
            )

        def _uninstrument(self, **kwargs: Any) -> None:
            unwrap(library, "send")

    return Official


@pytest.fixture(params=[by_functools, by_wrapt])
def official(request: pytest.FixtureRequest, library: ModuleType) -> BaseInstrumentor:
    kind: type[BaseInstrumentor] = request.param(library)
    return kind()


BOTH = ("ours", "official", "original")


def test_ours_first_and_the_official_one_after(
    library: ModuleType, layer: Layer, official: BaseInstrumentor
) -> None:
    layer.activate()
    official.instrument()
    assert library.send() == BOTH
    assert layer.is_outermost


def test_the_official_one_first_and_ours_after(
    library: ModuleType, layer: Layer, official: BaseInstrumentor
) -> None:
    official.instrument()
    layer.activate()
    assert library.send() == BOTH


@pytest.mark.parametrize("ours_first", [True, False])
@pytest.mark.parametrize("ours_goes_first", [True, False])
def test_each_side_goes_without_the_other_noticing(
    library: ModuleType, layer: Layer, official: BaseInstrumentor, ours_first: bool, ours_goes_first: bool
) -> None:
    begin = [lambda: layer.activate(), lambda: official.instrument()]
    for each in begin if ours_first else reversed(begin):
        each()
    if ours_goes_first:
        layer.deactivate()
        assert library.send() == ("official", "original")
        official.uninstrument()
    else:
        official.uninstrument()
        assert library.send() == ("ours", "original")
        layer.deactivate()
    assert library.send is original


def test_rounds_of_going_and_coming_back_pile_nothing_up(
    library: ModuleType, layer: Layer, official: BaseInstrumentor
) -> None:
    for _ in range(3):
        layer.activate()
        official.instrument()
        official.uninstrument()
        official.instrument()
        layer.deactivate()
        layer.activate()
        assert library.send() == BOTH
        official.uninstrument()
        layer.deactivate()
    assert library.send is original


def test_a_wrapper_that_somebody_else_buried_is_inert_once_ours_is_outermost_again(
    library: ModuleType, layer: Layer
) -> None:
    layer.activate()
    wrapt.wrap_function_wrapper(library, "send", lambda wrapped, _, args, kw: wrapped(*args, "other", **kw))
    _layer.reassert()
    assert library.send() == ("ours", "other", "original")
    layer.deactivate()
    assert library.send() == ("other", "original")


def test_the_hook_on_instrumentors_comes_and_goes_with_the_layers(layer: Layer) -> None:
    before = BaseInstrumentor.instrument, BaseInstrumentor.uninstrument
    layer.activate()
    assert BaseInstrumentor.instrument is not before[0]
    layer.deactivate()
    assert (BaseInstrumentor.instrument, BaseInstrumentor.uninstrument) == before


def test_an_instrumentor_that_fails_leaves_ours_in_force(library: ModuleType, layer: Layer) -> None:
    class Failing(BaseInstrumentor):
        def instrumentation_dependencies(self) -> Collection[str]:
            return ()

        def _instrument(self, **kwargs: Any) -> None:
            raise LookupError("its own")

        def _uninstrument(self, **kwargs: Any) -> None: ...

    layer.activate()
    with pytest.raises(LookupError):
        Failing().instrument()
    assert library.send() == ("ours", "original")


def test_a_layer_begun_by_an_instrumentor_waits_for_its_end(library: ModuleType, layer: Layer) -> None:
    class Importing(BaseInstrumentor):
        """Imports a library that ours waits for, then patches it."""

        def instrumentation_dependencies(self) -> Collection[str]:
            return ()

        def _instrument(self, **kwargs: Any) -> None:
            layer.activate()
            wrapt.wrap_function_wrapper(
                library, "send", lambda wrapped, _, args, kw: wrapped(*args, "official", **kw)
            )

        def _uninstrument(self, **kwargs: Any) -> None: ...

    keeper = Layer(a_module(original), "send", _marks("keeper"))
    keeper.activate()  # so that the hook is there
    try:
        Importing().instrument()
        assert library.send() == BOTH
    finally:
        keeper.deactivate()


def a_module(function: Callable[..., Any]) -> ModuleType:
    module = ModuleType("another")
    module.send = function  # type: ignore[attr-defined]
    return module


async def test_a_coroutine_function_stays_one() -> None:
    async def send() -> tuple[str, ...]:
        return ("original",)

    def make(inner: Callable[..., Any]) -> Callable[..., Any]:
        async def ours() -> tuple[str, ...]:
            return ("ours", *await inner())

        return ours

    module = a_module(send)
    layer = Layer(module, "send", make)
    layer.activate()
    assert inspect.iscoroutinefunction(module.send)
    assert await module.send() == ("ours", "original")
    layer.deactivate()
    assert module.send is send


def test_people_read_the_librarys_own_name_and_signature(library: ModuleType, layer: Layer) -> None:
    layer.activate()
    assert library.send.__qualname__ == "original"
    assert library.send.__doc__ == "The library's own."
    assert str(inspect.signature(library.send)) == str(inspect.signature(original))
    assert not hasattr(library.send, "__wrapped__")


def test_calls_of_many_threads_while_instrumentors_come_and_go_all_reach_the_library(
    library: ModuleType, layer: Layer, official: BaseInstrumentor
) -> None:
    layer.activate()
    ready, stop = threading.Barrier(5), threading.Event()
    wrong: list[tuple[str, ...]] = []

    def call() -> None:
        ready.wait()
        while not stop.is_set():
            path = library.send()
            if path[-1] != "original" or path.count("ours") > 1 or path.count("official") > 1:
                wrong.append(path)

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    ready.wait()
    for _ in range(100):
        official.instrument()
        official.uninstrument()
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    layer.deactivate()
    assert library.send is original
