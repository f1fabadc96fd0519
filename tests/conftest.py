"""What all tests may use, and what none of them may leave to another."""

from __future__ import annotations

import weakref

import pytest

from otel_resilience.policies.retry_budget import policy as retry_budget

pytest_plugins = ["pytester"]


@pytest.fixture(autouse=True)
def _budgets_of_this_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """Default budgets go by name through the whole process, and one in a cycle lives until it is collected: spent."""
    monkeypatch.setattr(retry_budget, "_by_name", weakref.WeakValueDictionary())
