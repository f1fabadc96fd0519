"""The pages against the code: each public policy and component has one, whole, found from the index, and its programs run."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

import otel_resilience
from otel_resilience import testing as kit
from otel_resilience.config import policy_shapes
from otel_resilience.config.load import load_config
from otel_resilience.flow import effects
from otel_resilience.testing import fixtures as kit_fixtures
from tests.packaging.readme import PROJECT

DOCS = PROJECT / "docs"
PAGES = {
    "Pipeline": "pipeline",
    "CircuitBreaker": "circuit_breaker",
    "Retry": "retry",
    "RetryBudget": "retry_budget",
    "Timeout": "timeout",
    "Bulkhead": "bulkhead",
    "RateLimiter": "rate_limiter",
    "Hedge": "hedge",
    "Fallback": "fallback",
    "FaultInjector": "fault_injector",
    "ServiceRegistry": "discovery",
    "ServiceMesh": "mesh",
    "ErrorPropagator": "error_propagator",
    "DistributedTracer": "tracing",
    "TimeoutHandler": "timeout_handler",
    "CorrelationManager": "correlation",
}
#: What the program of a page takes for given.
GIVEN = {
    "bulkhead": "order = 7\ndef charge(order): ...\n",
    "mesh": """
from otel_resilience import ServiceInfo, ServiceRegistry
from tests.instrumentation.http_server import ScriptedServer

registry, server, request = ServiceRegistry(), ScriptedServer().__enter__(), None
registry.register(ServiceInfo(name="payments", host="127.0.0.1", port=server.port))

def charge(address): ...
async def acharge(endpoint): ...

class PaymentsStub:
    def __init__(self, channel):
        self.Charge = lambda request: channel.unary_unary("/shop.v1.Payments/Charge")
""",
    "rate_limiter": "class Position: ...\n",
    "timeout_handler": "order = 7\ndef charge(order): ...\n",
}
#: As an interpreter at the prompt would: a program may await.
RUN = """
import ast, asyncio, inspect, sys
ran = eval(compile(sys.argv[1], "page", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT))
if inspect.iscoroutine(ran): asyncio.run(ran)
"""
READ = [*sorted(DOCS.glob("*.md")), PROJECT / "README.md"]


def text_of(page: str) -> str:
    return (DOCS / f"{page}.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_names_every_option_and_says_when_not_to_use_it(name: str) -> None:
    page = text_of(PAGES[name])
    options = [
        each for each in inspect.signature(getattr(otel_resilience, name)).parameters if each != "name"
    ]
    in_code = " ".join(re.findall(r"`[^`\n]+`", page))
    assert [each for each in options if not re.search(rf"\b{each}\b", in_code)] == []
    assert "When not to use" in page


def test_the_page_on_the_policy_file_has_a_place_for_every_key_and_for_no_other() -> None:
    rows = re.findall(r"^\|(.+)\|[^|]+\|$", text_of("policy_file"), re.MULTILINE)
    told = {key for row in rows for key in re.findall(r"`(\w+)`", row)}
    shapes = (policy_shapes.FILE, policy_shapes.SERVICE, policy_shapes.OPERATION)
    assert told == {key for shape in shapes for key in shape.keys}


@pytest.mark.parametrize("page", READ, ids=lambda page: page.stem)
def test_the_policy_files_of_a_page_are_right(page: Path, tmp_path: Path) -> None:
    shown = re.findall(r"^```yaml\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    for number, text in enumerate(shown):
        file = tmp_path / f"{number}.yaml"
        file.write_text(text, encoding="utf-8")
        load_config(file)


def test_the_page_on_testing_names_all_that_the_kit_has() -> None:
    page = text_of("testing")
    fixtures = re.findall(
        r"^def (\w+)\(", Path(inspect.getfile(kit_fixtures)).read_text("utf-8"), re.MULTILINE
    )
    assert fixtures
    assert [each for each in (*kit.__all__, *fixtures) if not re.search(rf"`{each}\b", page)] == []


def test_every_page_is_found_from_the_index_and_the_index_from_the_readme() -> None:
    index = text_of("README")
    linked = set(re.findall(r"\]\((\w+)\.md\)", index))
    assert linked == {page.stem for page in DOCS.glob("*.md")} - {"README"}
    assert "(docs/README.md)" in (PROJECT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", READ, ids=lambda page: page.stem)
def test_what_a_page_links_is_there(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if "://" not in link and not (page.parent / link).exists()] == []


@pytest.mark.parametrize(
    "page", [page.stem for page in DOCS.glob("*.md") if "```python" in text_of(page.stem)]
)
def test_the_program_of_a_page_runs(page: str) -> None:
    shown = re.findall(r"^```python\n(.*?)^```", text_of(page), re.MULTILINE | re.DOTALL)
    program = "\n".join([GIVEN.get(page, ""), *shown])
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", RUN, program],
        capture_output=True,
        text=True,
        check=False,
        cwd=PROJECT,
    )
    assert done.returncode == 0, done.stderr


def test_the_design_names_every_room_every_policy_and_every_effect() -> None:
    design = text_of("design")
    root = PROJECT / "otel_resilience"
    rooms = {path.parent.name for path in root.glob("*/__init__.py")}
    policies = {path.parent.name for path in root.glob("policies/*/__init__.py")}
    modules = {path.stem for path in root.glob("*.py")} - {"__init__"}
    told = {kind.__name__ for kind in get_args(effects.Effect)}
    assert told
    assert {each for each in rooms if f"  {each}/" not in design} == set()
    assert {each for each in policies | modules if not re.search(rf"\b{each}\b", design)} == set()
    assert {each for each in told if f"`{each}`" not in design} == set()
