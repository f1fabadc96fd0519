"""The shop's policy file: written for the ports of this run, and read for what must come of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from otel_resilience.config.schema import read_schema
from otel_resilience.config.yaml_document import read_yaml
from otel_resilience.errors.codes import RETRYABLE
from otel_resilience.policies.retry.conditions import Codes

SHIPPED = Path(__file__).parent / "shop" / "resilience.yaml"
#: The addresses in the shipped file that stand for the free ports of a run.
_WRITTEN_PORTS = {"orders": 8001, "ledger": 8003}
#: The one operation of the shop that is retried.
READ_ACCOUNT = "GET /accounts/{id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopPolicies:
    """What the file says of the shop's only breaker and only retry. Seconds."""

    failure_threshold: int
    recovery_timeout: float
    max_attempts: int
    #: The codes that are retried whatever a chain says of them; ``None`` where the file does not write ``retry.on``.
    retry_on: frozenset[str] | None = None

    @property
    def longest_open(self) -> float:
        """Seconds after which an open circuit surely admits a probe: the open time is lengthened by at most a tenth."""
        return self.recovery_timeout * 1.1

    def retries(self, code: str) -> bool:
        """Whether the read of an account is tried again when the ledger's chain has ``code`` as its root."""
        if code not in RETRYABLE:
            return False  # the chain's own word ends the retrying
        return self.retry_on is None or code in self.retry_on


def write_policy_file(path: Path, ports: Mapping[str, int]) -> None:
    """Write the shipped file with the ports of this run."""
    text = SHIPPED.read_text(encoding="utf-8")
    for service, written in _WRITTEN_PORTS.items():
        text = text.replace(f'"127.0.0.1:{written}"', f'"127.0.0.1:{ports[service]}"')
    path.write_text(text, encoding="utf-8")


def read_policies(path: Path = SHIPPED) -> ShopPolicies:
    """The policies in the file at ``path``. Raises ``ConfigurationError`` where it is no policy file of the shop."""
    services = read_schema(str(path), read_yaml(path.read_text(encoding="utf-8"))).services
    breaker = services["payments"].policies.circuit_breaker
    retry = services["ledger"].operations[READ_ACCOUNT].policies.retry
    threshold = None if breaker is None else breaker.options.failure_threshold
    if breaker is None or threshold is None or retry is None:
        raise ValueError(
            f"{path} must give payments a circuit_breaker with a failure_threshold and {READ_ACCOUNT!r} of the ledger a retry"
        )
    on = retry.options.on
    return ShopPolicies(
        failure_threshold=threshold,
        recovery_timeout=breaker.options.recovery_timeout,
        max_attempts=retry.options.max_attempts,
        retry_on=on.codes if isinstance(on, Codes) and on.written else None,
    )
