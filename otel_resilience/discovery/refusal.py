"""How a lookup says that it has nothing to give."""

from __future__ import annotations

from collections.abc import Iterable

from otel_resilience.discovery.view import ServiceView
from otel_resilience.events import ExecutionRejected
from otel_resilience.exceptions import NoHealthyEndpointError, ServiceNotFoundError
from otel_resilience.listener import LISTENERS

POLICY_TYPE = "discovery"
REASON = "no_healthy_endpoint"


def not_found(name: str, known: Iterable[str]) -> ServiceNotFoundError:
    """The error for a name that nobody registered, with the names that come near it."""
    import difflib  # only a wrong name needs it

    near = difflib.get_close_matches(str(name), sorted(known), n=3)
    end = f"did you mean {' or '.join(map(repr, near))}?" if near else "no registered name comes near it"
    return ServiceNotFoundError(f"no service is called {name!r}; {end}")


def message(service: str, view: ServiceView, version: str | None, tags: frozenset[str]) -> str:
    """Why a lookup found nothing: who is there, who is well, and what was asked for."""
    asked = [] if version is None else [f"version {version!r}"]
    asked += [f"tag {tag!r}" for tag in sorted(tags)]
    wish = f" with {' and '.join(asked)}" if asked else ""
    return f"{service} has no healthy endpoint{wish}: {len(view.entries)} registered, {len(view.healthy)} healthy"


def no_healthy_endpoint(service: str, message: str) -> NoHealthyEndpointError:
    """Announce that a call to ``service`` was refused for want of an endpoint; answers with the error to raise."""
    LISTENERS.announce(
        ExecutionRejected(
            name=service,
            policy_type=POLICY_TYPE,
            reason=REASON,
            enforced=True,
            error_code=NoHealthyEndpointError.error_code,
        )
    )
    return NoHealthyEndpointError(message)
