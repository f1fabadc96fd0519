"""What a call was found to be: whose policies guard it, and whether it may be sent twice."""

from __future__ import annotations

from dataclasses import dataclass

from otel_resilience.config.operations import Operations
from otel_resilience.config.service_policies import ServicePolicies
from otel_resilience.config.specs import ServiceSpec
from otel_resilience.errors.dialects.http import IDEMPOTENT_METHODS
from otel_resilience.mesh.policies import Stated
from otel_resilience.outcome import Mode
from otel_resilience.pipeline import Pipeline


@dataclass(frozen=True, slots=True)
class Target:
    """``operation`` is the key of the file that matched, ``None`` where the service's own policies hold."""

    service: str
    operation: str | None
    pipeline: Pipeline
    idempotent: bool


class ServiceTargets:
    """The targets of one service, made once. Safe for threads."""

    def __init__(self, spec: ServiceSpec, mode: Mode, *, alone: bool = False) -> None:
        self.policies = ServicePolicies(spec, mode, alone=alone)
        self._operations = Operations(each.key for each in spec.operations.values())
        self._idempotent = {text: each.idempotent for text, each in spec.operations.items()}
        self._names = {None: spec.policies.names} | {
            text: each.policies.names for text, each in spec.operations.items()
        }
        self._targets = {
            operation: (self._target(spec.name, operation, False), self._target(spec.name, operation, True))
            for operation in (None, *spec.operations)
        }

    def of_http(self, method: str, path: str, has_idempotency_key: bool) -> Target | None:
        """The target of a request; ``None`` where no policy guards it."""
        operation = self._operations.find_http(method, path)
        own = self._idempotent.get(operation) if operation is not None else None
        idempotent = own if own is not None else has_idempotency_key or method.upper() in IDEMPOTENT_METHODS
        return self._targets[operation][idempotent]

    def of_grpc(self, service: str, method: str) -> Target | None:
        """The target of a gRPC call; ``None`` where no policy guards it."""
        operation = self._operations.find_grpc(service, method)
        own = self._idempotent.get(operation) if operation is not None else None
        return self._targets[operation][own is True]

    def pipeline(self, operation: str | None) -> Pipeline:
        """The pipeline of an operation by its key, or by a call of it; else the service's."""
        return self.policies.pipeline(None if operation is None else self._key(operation))

    def stated_for(self, operation: str) -> Stated:
        """What holds for a mesh's calls of ``operation``, by its key, or by a call of it."""
        key = self._key(operation)
        pipeline = self.policies.pipeline(key)
        return Stated(
            operation=key,
            policies=dict(zip(self._names[key], pipeline.policies, strict=True)),
            idempotent=None if key is None else self._idempotent[key],
            mode=pipeline.mode,
        )

    def _key(self, operation: str) -> str | None:
        return operation if operation in self._idempotent else self._operations.find(operation)

    def _target(self, service: str, operation: str | None, idempotent: bool) -> Target | None:
        pipeline = self.policies.pipeline(operation)
        if not pipeline.policies or not pipeline.enabled:
            return None
        return Target(service, operation, pipeline, idempotent)
