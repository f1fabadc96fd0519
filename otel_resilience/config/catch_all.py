"""The entry ``"*"``: what no other service matches, guarded host by host."""

from __future__ import annotations

from otel_resilience.config.patterns import HostPort
from otel_resilience.config.specs import ServiceSpec
from otel_resilience.config.target import ServiceTargets
from otel_resilience.forking import ProcessLock
from otel_resilience.outcome import Mode

#: Hosts that have policies of their own; what comes later shares one set. Hosts may come from users.
MOST_HOSTS = 256


class CatchAll:
    """Each host and port has its own policies, the first ``MOST_HOSTS`` of them; all of one name.

    Safe for threads.
    """

    def __init__(self, spec: ServiceSpec, mode: Mode) -> None:
        self._spec = spec
        self._mode = mode
        # Guards which set is a host's; sets are made outside of it, as making one announces a forced circuit.
        self._lock = ProcessLock()
        self._of: dict[HostPort, ServiceTargets] = {}
        self._shared: ServiceTargets | None = None

    def of(self, address: HostPort) -> ServiceTargets:
        """The policies of ``address``."""
        known = self._of.get(address)
        if known is not None:
            return known
        if len(self._of) >= MOST_HOSTS:
            return self.shared()
        made = self._make()
        with self._lock:
            if address in self._of or len(self._of) < MOST_HOSTS:
                return self._of.setdefault(address, made)
        return self.shared()

    def shared(self) -> ServiceTargets:
        """The policies of all hosts that have none of their own."""
        if self._shared is None:
            made = self._make()
            with self._lock:
                self._shared = self._shared or made
        return self._shared

    def _make(self) -> ServiceTargets:
        return ServiceTargets(self._spec, self._mode, alone=True)
