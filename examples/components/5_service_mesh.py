"""A call by name goes to a healthy endpoint; what fails there is tried elsewhere, and an endpoint that keeps failing is left out."""

from otel_resilience import Backoff, Endpoint, Retry, ServiceInfo, ServiceMesh, ServiceRegistry

registry = ServiceRegistry()
for port in (8001, 8002):
    registry.register(ServiceInfo(name="payments", version="1.4.2", host="127.0.0.1", port=port))

asked: list[int] = []


def charge(endpoint: Endpoint) -> str:
    asked.append(endpoint.port)
    if endpoint.port == 8001:
        raise ConnectionRefusedError("nobody listens there")
    return f"charged at {endpoint.address}"


with registry, ServiceMesh(registry) as mesh:
    mesh.set_retry_policy("payments", Retry(on=ConnectionRefusedError, backoff=Backoff(initial=0.0)))
    results = {mesh.call("payments", "charge", charge) for _ in range(10)}
    print("every call ended well:", *results)
    print("the sick endpoint was asked", asked.count(8001), "times, then it was left out")
