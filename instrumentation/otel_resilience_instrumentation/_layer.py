"""A patch that stays outermost, whatever else patches the same attribute, before or after.

Each patched attribute has a ``Layer``. ``ensure_outermost`` wraps whatever is there now and makes that
wrapper the live one; copies of ours that were buried under somebody else's patch see that they are not live
and pass straight through. OpenTelemetry's own instrumentors are hooked: every layer is peeled off before one
of them patches or restores, and put back after. Else the official patch would wrap ours, and its
``uninstrument()`` would put ours back for good.

Three traps shaped this. A wrapper made with ``functools.wraps`` copies the official marks and
``__wrapped__``, and the official ``uninstrument()`` then removes the wrong one: nothing is copied but what
people read. The official wrapper copies *our* attributes up: ours are known by identity. A ``wrapt`` proxy is
equal to what it wraps: only plain functions can be ours.
"""

from __future__ import annotations

import inspect
import threading
import weakref
from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import Any

from opentelemetry.instrumentation.instrumentor import BaseInstrumentor

#: Makes the patched callable from the one that is there.
Make = Callable[[Callable[..., Any]], Callable[..., Any]]

# Guards the layers, what is live and the attributes; held for a few lines, never across somebody else's call or an import.
_lock = threading.RLock()
_ours: weakref.WeakKeyDictionary[FunctionType, Any] = weakref.WeakKeyDictionary()
_active: list[Layer] = []
_peelings = 0
_hooked: dict[str, tuple[Any, Any]] = {}


class Layer:
    """One patched attribute of a class or module. Safe to use from any thread.

    ``make`` gets the callable that is there and answers with what is to be called instead.
    """

    def __init__(self, owner: type | ModuleType, attribute: str, make: Make) -> None:
        self.owner = owner
        self.attribute = attribute
        self._make = make
        self._live: FunctionType | None = None

    @property
    def is_outermost(self) -> bool:
        """Whether the attribute is our live wrapper at this moment."""
        return self._live is not None and vars(self.owner).get(self.attribute) is self._live

    def activate(self) -> None:
        """Patch the attribute, and stay outermost until ``deactivate``."""
        with _lock:
            if self not in _active:
                _active.append(self)
                _hook()
            if not _peelings:
                self.ensure_outermost()

    def deactivate(self) -> None:
        """Put the very object back that was there, as far as nobody else has wrapped ours (those copies are inert)."""
        with _lock:
            if self in _active:
                _active.remove(self)
            self.peel()
            if not _active:
                _unhook()

    def ensure_outermost(self) -> None:
        with _lock:
            current = vars(self.owner)[self.attribute]
            if self._live is not None and current is self._live:
                return
            wrapper = self._wrap(current)
            _ours[wrapper] = current
            self._live = wrapper
            setattr(self.owner, self.attribute, wrapper)

    def peel(self) -> None:
        """Take off every wrapper of ours that lies on top; deeper ones become inert."""
        with _lock:
            self._live = None
            current = vars(self.owner)[self.attribute]
            while type(current) is FunctionType and current in _ours:
                current = _ours[current]
                setattr(self.owner, self.attribute, current)

    def _wrap(self, current: Callable[..., Any]) -> FunctionType:
        inner, layer = self._make(current), self
        wrapper: Any
        if inspect.iscoroutinefunction(current):

            async def wrapper(*args: Any, **kwargs: Any) -> Any:
                return await (inner if layer._live is wrapper else current)(*args, **kwargs)

        else:

            def wrapper(*args: Any, **kwargs: Any) -> Any:
                return (inner if layer._live is wrapper else current)(*args, **kwargs)

        for name in ("__module__", "__name__", "__qualname__", "__doc__"):
            setattr(wrapper, name, getattr(current, name, None) or getattr(wrapper, name))
        try:
            wrapper.__signature__ = inspect.signature(current)
        except (TypeError, ValueError):  # a C function without one
            pass
        function: FunctionType = wrapper
        return function


def reassert() -> None:
    """Make every active layer outermost again."""
    with _lock:
        if not _peelings:
            for layer in _active:
                layer.ensure_outermost()


def _hook() -> None:
    """Peel before, and reassert after, whatever an instrumentor of OpenTelemetry does."""
    if _hooked:
        return
    for name in ("instrument", "uninstrument"):
        original = getattr(BaseInstrumentor, name)
        hook = _around(original)
        _hooked[name] = (original, hook)
        setattr(BaseInstrumentor, name, hook)


def _unhook() -> None:
    for name, (original, hook) in _hooked.items():
        if getattr(BaseInstrumentor, name) is hook:
            setattr(BaseInstrumentor, name, original)
    _hooked.clear()


def _around(original: Callable[..., Any]) -> Callable[..., Any]:
    def hook(self: BaseInstrumentor, **kwargs: Any) -> Any:
        _begin_peeling()
        try:
            return original(self, **kwargs)
        finally:
            _end_peeling()

    hook.__name__, hook.__qualname__ = original.__name__, original.__qualname__
    hook.__doc__ = original.__doc__
    return hook


def _begin_peeling() -> None:
    # Counted, not locked: an instrumentor imports libraries, and an import in another thread may be waiting for our lock.
    global _peelings
    with _lock:
        _peelings += 1
        for layer in _active:
            layer.peel()


def _end_peeling() -> None:
    global _peelings
    with _lock:
        _peelings -= 1
        reassert()
