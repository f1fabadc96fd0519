"""What a pipeline is made of, for tests."""

from __future__ import annotations

from typing import Any

from otel_resilience.flow.guard import Guard
from otel_resilience.pipeline import Pipeline


def kinds(pipeline: Pipeline) -> list[type[Guard]]:
    return [type(policy) for policy in pipeline.policies]


def one(pipeline: Pipeline, kind: type[Any]) -> Any:
    (found,) = [policy for policy in pipeline.policies if isinstance(policy, kind)]
    return found
