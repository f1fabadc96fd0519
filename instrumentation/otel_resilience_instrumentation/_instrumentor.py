"""What all our instrumentors share: they import no library, patch it when it is imported, and restore the very objects."""

from __future__ import annotations

import sys
import threading
from abc import abstractmethod
from collections.abc import Collection, Iterable
from types import ModuleType
from typing import Any, ClassVar

from opentelemetry.instrumentation.instrumentor import BaseInstrumentor

from otel_resilience_instrumentation import _processor, _settings
from otel_resilience_instrumentation._imports import when_imported
from otel_resilience_instrumentation._layer import Layer

_active: list[LayeredInstrumentor] = []


class LayeredInstrumentor(BaseInstrumentor):
    """Patches one library by layers that stay outermost.

    ``instrument(config=, mode=, propagation=, internal_hosts=, enabled=, redact=)``: what is given goes before the
    environment; ``redact(hop)`` is as in ``errors/redaction.py``. The settings are one for the process, made by
    whichever instrumentor begins first; without arguments it does what ``opentelemetry-instrument`` does.
    """

    #: The entry point's name, by which it can be disabled.
    name: ClassVar[str]
    #: The library's module, and the distributions that it may come from.
    module: ClassVar[str]
    requires: ClassVar[tuple[str, ...]]
    #: The module of the official instrumentation without which there are no SERVER spans; ``None`` where ours do.
    needs: ClassVar[str | None] = None

    def __init__(self) -> None:
        super().__init__()
        # Made once: the class is a singleton, and its constructor runs at every use.
        self._layers: tuple[Layer, ...]
        if not hasattr(self, "_patching"):
            self._layers = ()
            self._wanted = False
            self._registered = False
            self._patching = threading.Lock()  # guards the four; the library may be imported by any thread

    def instrumentation_dependencies(self) -> Collection[str]:
        return self.requires

    @abstractmethod
    def layers(self, module: ModuleType) -> Iterable[Layer]:
        """The layers of the library, which is imported by now."""

    def _instrument(self, **kwargs: Any) -> None:
        known = {name: kwargs[name] for name in _OPTIONS if name in kwargs}
        if not _settings.start(**known).enabled:
            return
        _processor.ensure_added()
        with self._patching:
            self._wanted = True
            registered, self._registered = self._registered, True
            _active.append(self)
        if registered:
            self._apply_if_imported()
        else:
            when_imported(self.module, self._apply)

    def _uninstrument(self, **kwargs: Any) -> None:
        with self._patching:
            self._wanted = False
            for layer in self._layers:
                layer.deactivate()
            self._layers = ()
            if self in _active:
                _active.remove(self)

    def _apply_if_imported(self) -> None:
        module = sys.modules.get(self.module)
        if module is not None:
            self._apply(module)

    def _apply(self, module: ModuleType) -> None:
        with self._patching:
            if self._wanted and not self._layers:
                self._layers = tuple(self.layers(module))
                for layer in self._layers:
                    layer.activate()


_OPTIONS = ("config", "mode", "propagation", "internal_hosts", "enabled", "redact")


def active() -> tuple[LayeredInstrumentor, ...]:
    """The instrumentors in force, in the order in which they began."""
    return tuple(_active)
