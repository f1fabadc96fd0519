"""Services register, are found by name, version and tag, and disappear when they end or stop sending heartbeats."""

from otel_resilience import ServiceInfo, ServiceNotFoundError, ServiceRegistry

with ServiceRegistry(balancing="round_robin") as registry:
    for port in (8001, 8002):
        registry.register(
            ServiceInfo(name="payments", version="1.4.2", host="127.0.0.1", port=port, tags=["eu"])
        )
    beta = registry.register(
        ServiceInfo(name="payments", version="2.0.0", host="127.0.0.1", port=8003, tags=["eu", "beta"])
    )

    # A lookup never waits for the network: round robin over whatever is known.
    ports = [registry.discover("payments", version="1.4.2").port for _ in range(4)]
    print("each in turn:", sorted(ports[:2]) == sorted(ports[2:]) == [8001, 8002])
    print("with all of these tags:", registry.discover("payments", tags=["eu", "beta"]).address)

    with beta:
        print("known:", len(registry.discover_all("payments")))
    print("after the beta has deregistered:", len(registry.discover_all("payments")))

    try:
        registry.discover("paymnets")
    except ServiceNotFoundError as error:
        print(f"{error.error_code}: {error}")
