"""When an instance counts as unhealthy, and when it is taken back: pure, so that every row of answers can be played."""

from __future__ import annotations


class Health:
    """Healthy until ``unhealthy_threshold`` failures in a row; unhealthy until ``healthy_threshold`` successes in a row."""

    __slots__ = ("_against", "_healthy_threshold", "_unhealthy_threshold", "healthy")

    def __init__(self, healthy_threshold: int, unhealthy_threshold: int) -> None:
        self._healthy_threshold = healthy_threshold
        self._unhealthy_threshold = unhealthy_threshold
        self._against = 0  # answers in a row that speak against what is thought now
        self.healthy = True

    def learn(self, well: bool) -> bool:
        """Take one answer in; true if it changed the verdict."""
        if well is self.healthy:
            self._against = 0
            return False
        self._against += 1
        if self._against < (self._unhealthy_threshold if self.healthy else self._healthy_threshold):
            return False
        self.healthy = well
        self._against = 0
        return True
