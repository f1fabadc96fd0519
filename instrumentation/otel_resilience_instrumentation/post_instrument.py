"""The last step of ``opentelemetry-instrument``: after every official instrumentor, ours go outermost again."""

from __future__ import annotations

import importlib.util
import logging
import os

from opentelemetry.instrumentation.environment_variables import OTEL_PYTHON_DISABLED_INSTRUMENTATIONS

from otel_resilience.telemetry.names import VERSION
from otel_resilience_instrumentation import _instrumentor, _layer, _processor, _settings

_log = logging.getLogger("otel_resilience")

#: This hook's own entry point.
_NAME = "resilience"


def post_instrument() -> None:
    """Reassert the layers, add the span processor to the provider, and say in one line what is in force.

    What is disabled (``OTEL_PYTHON_DISABLED_INSTRUMENTATIONS``, ``OTEL_RESILIENCE_ENABLED=false``) has no
    layers, and stays so. Never raises: an exception here would abort the application's start.
    """
    try:
        disabled = {
            each.strip() for each in os.environ.get(OTEL_PYTHON_DISABLED_INSTRUMENTATIONS, "").split(",")
        }
        active = [each for each in _instrumentor.active() if each.name not in disabled]
        if not active or disabled & {"*", _NAME}:
            return
        _layer.reassert()
        _processor.ensure_added()
        _log.info("%s", start_line(active))
        for each in active:
            _say_what_is_missing(each)
    except Exception:
        _log.exception("otel_resilience was not put in force after the other instrumentations")


def start_line(active: list[_instrumentor.LayeredInstrumentor]) -> str:
    """Version, instrumentors, file, services guarded and mode, in one line."""
    config = _settings.runtime().config
    names = ", ".join(each.name for each in active)
    if config is None:
        policies = "no policy file, nothing is guarded"
    else:
        guarded = ", ".join(config.guarded_services) or "none"
        policies = f"file {config.path}; services guarded: {guarded}; mode {config.mode}"
    return f"otel-resilience {VERSION}: instrumentors {names}; {policies}"


def _say_what_is_missing(instrumentor: _instrumentor.LayeredInstrumentor) -> None:
    needs = instrumentor.needs
    if needs is None or importlib.util.find_spec(instrumentor.module) is None:
        return
    if importlib.util.find_spec(needs) is None:
        _log.warning("%s has no spans to record on: %s is not installed", instrumentor.name, needs)
