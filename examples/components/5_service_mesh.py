"""Calls by a service's name: a retry goes to another endpoint, and one that keeps failing is left out for a while."""

import logging
import sys

from otel_resilience import (
    Backoff,
    Endpoint,
    NoHealthyEndpointError,
    Retry,
    ServiceInfo,
    ServiceMesh,
    ServiceRegistry,
)

# An ejection is logged as a warning.
logging.basicConfig(stream=sys.stdout, format="%(message)s")


def charge(endpoint: Endpoint) -> int:
    """The call: here the instance at port 8001 is broken, and the others answer."""
    asked.append(endpoint.port)
    if endpoint.port == 8001:
        raise ConnectionError("refused")
    return endpoint.port


asked: list[int] = []

with ServiceRegistry() as registry, ServiceMesh(registry) as mesh:
    for port in (8001, 8002, 8003):
        registry.register(ServiceInfo(name="payments", host="127.0.0.1", port=port))

    mesh.set_retry_policy("payments", Retry(on=ConnectionError, backoff=Backoff(initial=0.001)))
    answers = [mesh.call("payments", "charge", charge) for _ in range(30)]
    print("all calls were answered:", set(answers) == {8002, 8003})
    print("asked the broken one:", asked.count(8001))
    print("left out:", [key.port for key in mesh.ejected()])

    for endpoint in registry.discover_all("payments"):
        registry.deregister(endpoint)
    try:
        mesh.route_request("orders", "payments", "charge", charge)
    except NoHealthyEndpointError as error:
        print(f"{error.error_code}: {error}")
