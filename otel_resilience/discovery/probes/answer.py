"""What a probe found out."""

from __future__ import annotations


class ProbeFailedError(Exception):
    """The instance is not well; the text says how it showed, in few words and none of the instance's own."""


class CannotProbeError(Exception):
    """This process cannot ask: says nothing of the instance."""


class CannotProbeNowError(CannotProbeError):
    """This process is short of what asking takes (files, threads, memory), which may be over by the next time."""
