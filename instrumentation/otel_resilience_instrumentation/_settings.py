"""What the plugin was told: one ``Runtime`` for the process, made when the first instrumentor begins.

Precedence: arguments of ``instrument()``, environment, policy file, defaults. Nothing here raises into the
application: a broken file or value is said in one line, and the service starts without it.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

from otel_resilience.boundary import Boundary
from otel_resilience.errors.redaction import Redact, use_redactor
from otel_resilience.exceptions import ConfigurationError
from otel_resilience.outcome import Mode
from otel_resilience.telemetry import install as telemetry
from otel_resilience.telemetry.service import fill_in
from otel_resilience_instrumentation.environment import (
    OTEL_RESILIENCE_CONFIG,
    OTEL_RESILIENCE_ENABLED,
    OTEL_RESILIENCE_INTERNAL_HOSTS,
    OTEL_RESILIENCE_MODE,
    OTEL_RESILIENCE_PROPAGATION,
)

if TYPE_CHECKING:
    from otel_resilience.config.config import Config
    from otel_resilience.config.target import Target
    from otel_resilience.mesh.mesh import ServiceMesh

_log = logging.getLogger("otel_resilience")

E = TypeVar("E", bound=StrEnum)


class Propagation(StrEnum):
    """With whom this service exchanges fields.

    ``internal``: with hosts inside the boundary. ``edge``: its callers are outside, whatever their address;
    nothing is taken from them and nothing is shown to them, chains are still recorded. ``off``: with nobody.
    ``all``: with everybody.
    """

    INTERNAL = "internal"
    EDGE = "edge"
    OFF = "off"
    ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """The settings in force. Immutable, safe from any thread. ``mode`` is that of what no entry of the file is about."""

    enabled: bool = True
    config: Config | None = None
    boundary: Boundary = field(default_factory=Boundary)
    propagation: Propagation = Propagation.INTERNAL
    mode: Mode = Mode.ENFORCE
    mesh: ServiceMesh | None = None

    def find_http(
        self, host: str, port: int | None, method: str, path: str, has_idempotency_key: bool = False
    ) -> Target | None:
        """What guards this request; ``None`` where nothing does."""
        if self.config is None:
            return None
        return self.config.find_http(host, port, method, path, has_idempotency_key)

    def find_grpc(self, full_method: str, target: str) -> Target | None:
        """What guards this call of ``/package.Service/Method`` on a channel to ``target``; ``None`` where nothing does."""
        return None if self.config is None else self.config.find_grpc(full_method, target)

    def exchanges_with(self, host: str | None) -> bool:
        """Whether request fields go to ``host``, and chains from it are believed."""
        if self.propagation is Propagation.ALL:
            return True
        return self.propagation is not Propagation.OFF and self.boundary.inside(host)

    def trusts(self, peer: str, forwarded: str | None, x_forwarded_for: str | None) -> bool:
        """Whether the caller on that socket, and everybody it says it called for, is inside."""
        if self.propagation is Propagation.ALL:
            return True
        return (
            self.propagation is Propagation.INTERNAL
            and self.boundary.peer_inside(peer)
            and self.boundary.forwarded_inside(forwarded, x_forwarded_for)
        )

    @property
    def takes_correlation(self) -> bool:
        """Whether a caller's correlation id is taken over."""
        return self.propagation in (Propagation.INTERNAL, Propagation.ALL)


_UNGUARDED = Runtime(enabled=False)
_runtime: Runtime | None = None
_making = threading.Lock()  # one thread makes the runtime; the file is read under it, once in a process


def runtime() -> Runtime:
    """The settings in force; nothing is enabled before the first ``instrument()``."""
    return _runtime or _UNGUARDED


def start(
    *,
    config: str | None = None,
    mode: str | None = None,
    propagation: str | None = None,
    internal_hosts: str | None = None,
    enabled: bool | None = None,
    redact: Redact | None = None,
) -> Runtime:
    """The one runtime of this process, made from these arguments, the environment and the file at the first call."""
    global _runtime
    with _making:
        if _runtime is None:
            try:
                if redact is not None:
                    use_redactor(redact)
                _runtime = _make(config, mode, propagation, internal_hosts, enabled)
            except Exception:
                _log.exception("otel_resilience could not start; nothing is guarded")
                _runtime = _UNGUARDED
        elif any(each is not None for each in (config, mode, propagation, internal_hosts, enabled, redact)):
            _log.warning(
                "settings are one for the process and made by the first instrumentor; others are not used"
            )
        return _runtime


def use(runtime: Runtime | None) -> Runtime | None:
    """Put ``runtime`` in force and return the one before; ``None`` forgets it, and the next ``start`` makes one anew."""
    global _runtime
    with _making:
        previous, _runtime = _runtime, runtime
        return previous


def _make(
    config: str | None,
    mode: str | None,
    propagation: str | None,
    internal_hosts: str | None,
    enabled: bool | None,
) -> Runtime:
    if not (_flag(OTEL_RESILIENCE_ENABLED, True) if enabled is None else enabled):
        return _UNGUARDED
    written = _choice("mode", mode, Mode) or _choice(
        OTEL_RESILIENCE_MODE, os.environ.get(OTEL_RESILIENCE_MODE), Mode
    )
    policies = _load(
        config or os.environ.get(OTEL_RESILIENCE_CONFIG), None if written is None else str(written)
    )
    named = () if policies is None else policies.named_hosts
    hosts = os.environ.get(OTEL_RESILIENCE_INTERNAL_HOSTS, "") if internal_hosts is None else internal_hosts
    try:
        boundary = Boundary(hosts, named)
    except ValueError as error:
        say(logging.WARNING, f"{OTEL_RESILIENCE_INTERNAL_HOSTS}={hosts!r} is not used: {error}")
        boundary = Boundary("", named)
    spread = (
        _choice("propagation", propagation, Propagation)
        or _choice(OTEL_RESILIENCE_PROPAGATION, os.environ.get(OTEL_RESILIENCE_PROPAGATION), Propagation)
        or _choice("propagation", None if policies is None else policies.propagation, Propagation)
        or Propagation.INTERNAL
    )
    routed = policies is not None and any(each.endpoints for each in policies.entries.values())
    return Runtime(
        config=policies,
        boundary=boundary,
        propagation=spread,
        mode=written or (Mode.ENFORCE if policies is None else policies.mode),
        mesh=policies.mesh() if policies is not None and routed else None,
    )


def _load(path: str | None, mode: str | None) -> Config | None:
    if not path:
        return None
    from otel_resilience.config.load import load_config  # a service without a file needs no parser

    try:
        loaded = load_config(path, mode=mode)
    except ConfigurationError as error:
        say(logging.ERROR, f"policy file not in force, nothing is guarded: {error}")
    except Exception as error:  # whatever a parser may still raise: the service starts
        say(
            logging.ERROR,
            f"policy file not in force, nothing is guarded: {path}: {type(error).__name__}: {error}",
        )
    else:
        telemetry.set_config_status(True)
        telemetry.allow_error_roots(loaded.root_services, loaded.root_codes)
        fill_in(loaded.service)
        return loaded
    telemetry.set_config_status(False)
    return None


def _flag(name: str, default: bool) -> bool:
    text = os.environ.get(name, "").strip().lower()
    if text in ("", "true", "false"):
        return default if not text else text == "true"
    say(logging.WARNING, f"{name}={os.environ[name]!r} is not used: it must be true or false")
    return default


def _choice(name: str, text: str | None, kind: type[E]) -> E | None:
    if text is None or not text.strip():
        return None
    try:
        return kind(text.strip().lower())
    except ValueError:
        say(logging.WARNING, f"{name}={text!r} is not used: it must be one of {', '.join(kind)}")
        return None


def say(level: int, line: str) -> None:
    """Log one line; also to stderr where logging is not set up yet, as it is not when a process starts."""
    _log.log(level, "%s", line.replace("\n", " "))
    if _only_exports(_log):
        print(f"otel_resilience: {line}", file=sys.stderr)


def _only_exports(logger: logging.Logger) -> bool:
    """Whether what is logged reaches OpenTelemetry's own handlers and no other; with none at all Python prints by itself."""
    handlers: list[logging.Handler] = []
    current: logging.Logger | None = logger
    while current is not None:
        handlers += current.handlers
        current = current.parent if current.propagate else None
    return bool(handlers) and all(
        type(handler).__module__.startswith("opentelemetry.") for handler in handlers
    )
