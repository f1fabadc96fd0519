"""The environment variables that we read, one constant each.

`opentelemetry-instrument` loads this module by its entry point and offers every name here as an option of its own:
`--resilience_config resilience.yaml` sets `OTEL_RESILIENCE_CONFIG`.
"""

from __future__ import annotations

from typing import Final

OTEL_RESILIENCE_CONFIG: Final = "OTEL_RESILIENCE_CONFIG"
"""Path of the policy file, YAML or TOML. Without it nothing is guarded, and error chains still arrive."""

OTEL_RESILIENCE_ENABLED: Final = "OTEL_RESILIENCE_ENABLED"
"""`false`: nothing is patched. Default: `true`."""

OTEL_RESILIENCE_MODE: Final = "OTEL_RESILIENCE_MODE"
"""`enforce`, `shadow` (decides, counts and announces, never blocks, delays or retries) or `off`; over the file's own mode."""

OTEL_RESILIENCE_EVENTS: Final = "OTEL_RESILIENCE_EVENTS"
"""Where events go: `both`, `span`, `log` or `none`. Default: `both`."""

OTEL_RESILIENCE_INTERNAL_HOSTS: Final = "OTEL_RESILIENCE_INTERNAL_HOSTS"
"""Hosts, `*.domain` patterns and CIDR ranges inside the trust boundary, by commas.

They are added to the defaults; a leading `none,` drops these.
"""

OTEL_RESILIENCE_PROPAGATION: Final = "OTEL_RESILIENCE_PROPAGATION"
"""`internal`, `edge` (nothing in, nothing out, still recorded), `off` or `all`. Never touches `traceparent`."""
