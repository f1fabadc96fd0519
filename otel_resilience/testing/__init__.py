"""The test kit: time, chance and events in a test's hands."""

from otel_resilience.testing.draws import Draws
from otel_resilience.testing.manual_clock import ManualClock
from otel_resilience.testing.play import Played, play
from otel_resilience.testing.recorder import Recorder
from otel_resilience.testing.switch import resilience_off

__all__ = ["Draws", "ManualClock", "Played", "Recorder", "play", "resilience_off"]
