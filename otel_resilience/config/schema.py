"""A document to frozen specs: every fault at once, each where it stands."""

from __future__ import annotations

from typing import Any

from otel_resilience.config.document import Document
from otel_resilience.config.faults import Path, PolicyFileError, shown
from otel_resilience.config.levels import Inheritance, Level
from otel_resilience.config.operations import RULE as OPERATION_RULE
from otel_resilience.config.operations import read_operation
from otel_resilience.config.patterns import RULE as PATTERN_RULE
from otel_resilience.config.patterns import HostPort, Pattern, read_host_port, read_pattern
from otel_resilience.config.policy_shapes import DEFAULTS, FILE, OPERATION, SERVICE
from otel_resilience.config.shape import Reader
from otel_resilience.config.specs import CATCH_ALL, FileSpec, OperationSpec, ServiceSpec
from otel_resilience.outcome import Mode

_ENTRY = "a map of policies ({} for what is inherited alone)"


def read_schema(path: str, document: Document) -> FileSpec:
    """What the file at ``path`` says. Raises ``PolicyFileError`` with all of its faults, by line."""
    reader = Reader(document)
    spec = _Schema(reader).file(path)
    if reader.faults:
        raise PolicyFileError(path, sorted(reader.faults, key=lambda fault: fault.line or 0))
    return spec


class _Schema:
    """One reading of one file."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._claimed: dict[Pattern, str] = {}

    def file(self, path: str) -> FileSpec:
        tree = self._reader.read(FILE, self._map(self._reader.document.value, ()), ())
        defaults = Level(
            ("defaults",),
            self._reader.read(DEFAULTS, self._map(tree.get("defaults"), ("defaults",)), ("defaults",)),
        )
        metrics = tree.get("metrics") or {}
        return FileSpec(
            path=path,
            mode=tree.get("mode") or Mode.ENFORCE,
            propagation=tree.get("propagation") or "internal",
            service=tree.get("service"),
            root_services=metrics.get("root_services"),
            root_codes=metrics.get("root_codes"),
            services=self._services(tree.get("services"), defaults),
        )

    def _services(self, value: Any, defaults: Level) -> dict[str, ServiceSpec]:
        services: dict[str, ServiceSpec] = {}
        for name, entry in self._map(value, ("services",)).items():
            path = ("services", name)
            if not name or not name.isprintable():
                self._reader.refuse(
                    path, "a service's name must be a text that can be printed, and not be empty"
                )
            elif self._reader.is_map(entry, path, _ENTRY):
                services[name] = self._service(
                    name, Level(path, self._reader.read(SERVICE, entry, path)), defaults
                )
        if not services:
            Inheritance(self._reader, defaults).policies(DEFAULTS)
        return services

    def _service(self, name: str, own: Level, defaults: Level) -> ServiceSpec:
        inherited = Inheritance(self._reader, defaults, own)
        match = own.tree.get("match")
        return ServiceSpec(
            name=name,
            policies=inherited.policies(SERVICE),
            mode=inherited.tree.get("mode"),
            match=self._match(name, match, own),
            match_written=match is not None,
            endpoints=self._endpoints(name, own),
            operations=self._operations(own, defaults),
        )

    def _match(self, name: str, written: Any, own: Level) -> tuple[Pattern, ...]:
        path = (*own.path, "match")
        if name == CATCH_ALL:
            if written is not None:
                self._reader.refuse(
                    path, f'the catch-all "{CATCH_ALL}" has no match: it is for what no other service matches'
                )
            return ()
        if written is None:
            by_name = read_pattern(name)
            found = {} if by_name is None else {by_name: own.path}
        else:
            found = {}
            for place, text in enumerate(self._list(written, path, PATTERN_RULE)):
                pattern = read_pattern(text) if isinstance(text, str) else None
                if pattern is None:
                    self._reader.refuse((*path, place), f"must be {PATTERN_RULE}, got {shown(text)}")
                else:
                    found.setdefault(pattern, (*path, place))
        for pattern, where in found.items():
            other = self._claimed.setdefault(pattern, name)
            if other != name:
                self._reader.refuse(where, f"{pattern} is matched by service {shown(other)} too")
        return tuple(found)

    def _endpoints(self, name: str, own: Level) -> tuple[HostPort, ...]:
        path = (*own.path, "endpoints")
        written = own.tree.get("endpoints")
        if written is None:
            return ()
        if name == CATCH_ALL:
            self._reader.refuse(
                path, f'the catch-all "{CATCH_ALL}" has no endpoints: it is for what no other service matches'
            )
            return ()
        found: list[HostPort] = []
        for place, text in enumerate(self._list(written, path, "host:port")):
            endpoint = read_host_port(text) if isinstance(text, str) else None
            if endpoint is None or endpoint.port is None:
                self._reader.refuse((*path, place), f"must be host:port, got {shown(text)}")
            else:
                found.append(endpoint)
        return tuple(dict.fromkeys(found))

    def _operations(self, service: Level, defaults: Level) -> dict[str, OperationSpec]:
        operations: dict[str, OperationSpec] = {}
        known: dict[tuple[object, ...], str] = {}
        for text, entry in self._map(service.tree.get("operations"), (*service.path, "operations")).items():
            path = (*service.path, "operations", text)
            key = read_operation(text)
            if key is None:
                self._reader.refuse(path, f"must be {OPERATION_RULE}")
            elif known.setdefault(key.identity, text) != text:
                self._reader.refuse(path, f"matches the same calls as {shown(known[key.identity])}")
            if not self._reader.is_map(entry, path, _ENTRY):
                continue
            own = Level(path, self._reader.read(OPERATION, entry, path))
            policies = Inheritance(self._reader, defaults, service, own).policies(OPERATION)
            if key is not None:
                operations[text] = OperationSpec(
                    key=key,
                    policies=policies,
                    idempotent=own.tree.get("idempotent"),
                    own_circuit_breaker=own.tree.get("circuit_breaker") is not None,
                    own_bulkhead=own.tree.get("bulkhead") is not None,
                    own_rate_limiter=own.tree.get("rate_limiter") is not None,
                    own_budget=any("budget" in (own.tree.get(key) or {}) for key in ("retry", "hedge")),
                )
        return operations

    def _map(self, value: Any, path: Path) -> dict[str, Any]:
        """``value`` if it is a map; nothing written is an empty one."""
        if value is None or not self._reader.is_map(value, path, "a map"):
            return {}
        found: dict[str, Any] = value
        return found

    def _list(self, value: Any, path: Path, rule: str) -> list[Any]:
        if isinstance(value, list):
            return value
        self._reader.refuse(path, f"must be a list of {rule}, got {shown(value)}")
        return []
