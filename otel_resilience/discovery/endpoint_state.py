"""What an endpoint can be; a room of its own, since telemetry names it in processes that discover nothing."""

from __future__ import annotations

from enum import StrEnum


class EndpointState(StrEnum):
    """What an endpoint is to those who call, from best to worst.

    ``ejected``: a mesh leaves it out, as calls to it kept failing. ``draining``: it is gone, but calls to it
    are under way.
    """

    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    EJECTED = "ejected"
    DRAINING = "draining"
