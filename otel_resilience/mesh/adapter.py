"""The seam of ``requests`` at which a request by a service's name goes to an endpoint."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.request import getproxies

from requests.utils import should_bypass_proxies

from otel_resilience.context import endpoint as in_hand
from otel_resilience.errors.dialects.requests import RequestsDialect
from otel_resilience.exceptions import NoHealthyEndpointError
from otel_resilience.mesh.address import as_sent, at_endpoint, certified_name, name_in

if TYPE_CHECKING:  # every process that uses requests loads this room, and few of them a mesh
    from otel_resilience.discovery.endpoint import Endpoint
    from otel_resilience.mesh.line import Line
    from otel_resilience.mesh.routing import Unguarded

#: The method that knows what a connection's certificate must say; ``requests`` has it since 2.32.
POOL_KEY = "build_connection_pool_key_attributes"


def routed(
    send: Callable[..., Any], *, tls: bool = True, find: Callable[[str], Line | None] = lambda name: None
) -> Callable[..., Any]:
    """``HTTPAdapter.send`` that sends what goes to the service in hand to the endpoint in hand.

    What goes to another service that ``find`` knows (a redirect does, and what no policy guards) goes to any
    endpoint of that. ``tls``: ``named`` is in force too, without which no certificate would fit.
    """

    def routed_send(adapter: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        name = name_in(request.url or "")
        if name is None or not (tls or request.url.lower().startswith("http:")):
            return send(adapter, request, *args, **kwargs)
        endpoint = in_hand.of(name)
        if endpoint is not None:
            return _at(endpoint, send, adapter, request, args, kwargs)
        line = find(name)
        if line is None:
            return send(adapter, request, *args, **kwargs)
        with _any_endpoint(line, request) as endpoint:
            return _at(endpoint, send, adapter, request, args, kwargs)

    return routed_send


def named(attributes: Callable[..., Any]) -> Callable[..., Any]:
    """``HTTPAdapter.build_connection_pool_key_attributes`` for routed requests: the certificate is the service's."""

    def named_attributes(adapter: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        host, pool = attributes(adapter, request, *args, **kwargs)
        name = certified_name(request)
        if name is not None and host.get("scheme") == "https":
            pool = {**pool, "server_hostname": name, "assert_hostname": name}
        return host, pool

    return named_attributes


def _at(
    endpoint: Endpoint,
    send: Callable[..., Any],
    adapter: Any,
    request: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    routed = at_endpoint(request, endpoint)
    proxies = kwargs.get("proxies")
    if proxies:
        kwargs = {**kwargs, "proxies": _for_endpoint(routed.url, proxies)}
    return as_sent(send(adapter, routed, *args, **kwargs), request)


def _for_endpoint(url: str, proxies: Mapping[str, str]) -> dict[str, str]:
    """``proxies`` without the environment's, where that exempts the endpoint: the session has asked for the service's name."""
    if not should_bypass_proxies(url, proxies.get("no_proxy")):
        return dict(proxies)
    of_environment = getproxies()
    return {scheme: proxy for scheme, proxy in proxies.items() if of_environment.get(scheme) != proxy}


def _any_endpoint(line: Line, request: Any) -> Unguarded:
    try:
        return line.unguarded()
    except NoHealthyEndpointError as error:
        refused = error
    raise RequestsDialect(request).own(refused)
