"""``otel-resilience demo``: a shop of four services that fails for real, and what its telemetry says of it."""
