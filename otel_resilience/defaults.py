"""The composition root: wires telemetry to the core, once, when the package is imported.

It costs no SDK: with the API alone every instrument and span is a no-op, and whatever SDK is set up later is found.
"""

from __future__ import annotations

from otel_resilience.telemetry.install import install
from otel_resilience.telemetry.names import VERSION

install()

__all__ = ["VERSION"]
