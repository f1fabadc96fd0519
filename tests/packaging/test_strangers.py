"""Applications that were written without a thought of us, instrumented by what the README says and nothing more.

A script asks a page, and the page asks a greeter over gRPC, who is there for the world and not for nobody. Nothing is
skipped where packages cannot be had: then it is not known that the README is right.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from otel_resilience.cli.demo.receiver import Receiver
from otel_resilience.cli.demo.telemetry import Span, Telemetry
from otel_resilience.cli.demo.traces import Trace, traces_of, walk
from tests.packaging.environments import Environment
from tests.packaging.readme import blocks
from tests.packaging.running import PROGRAMS, folder_of, free_port, run, serving

# Packages are fetched, and the servers of three processes come and go.
pytestmark = pytest.mark.timeout(300)

#: The spans of one call that gets through, outermost first, each the only child of the one before.
WAY = [
    ("script", "INTERNAL", "execute web"),
    ("script", "CLIENT", "GET"),
    ("web", "SERVER", "GET /hello/<name>"),
    ("web", "INTERNAL", "execute greeter"),
    ("web", "CLIENT", "/helloworld.Greeter/SayHello"),
    ("greeter", "SERVER", "/helloworld.Greeter/SayHello"),
]


@dataclass(frozen=True)
class Visit:
    """What the script printed, and what the three programs told the collector."""

    printed: str
    telemetry: Telemetry

    @property
    def traces(self) -> list[Trace]:
        """One for each call of the script, by start."""
        found = traces_of(self.telemetry.spans).values()
        return sorted(found, key=lambda trace: trace.spans[0].start)


@pytest.fixture(scope="module")
def lines() -> list[str]:
    """The three lines of the README, word for word."""
    (block,) = blocks("sh")
    found = block.splitlines()
    assert len(found) == 3
    return found


@pytest.fixture(scope="module")
def environment(wheel: Path, lines: list[str], tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """What the strangers had, and then the first two lines of the README."""
    environment = Environment.fresh(tmp_path_factory.mktemp("strangers"))
    environment.pip("install", "--requirement", str(PROGRAMS / "requirements.txt"))
    found = f"{wheel.parent} {os.environ.get('PIP_FIND_LINKS', '')}".strip()
    for line in lines[:2]:
        run(line, environment, environment.folder, PIP_FIND_LINKS=found, PIP_NO_INPUT="1")
    return environment


@pytest.fixture(scope="module")
def visit(environment: Environment, lines: list[str], tmp_path_factory: pytest.TempPathFactory) -> Visit:
    """The third line, for each of the three; all of them have ended, and so sent what they had to say."""
    parent = tmp_path_factory.mktemp("programs")
    start = lines[2]
    greeter, web = free_port(), free_port()
    with Receiver() as receiver:
        told = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint, "no_proxy": "127.0.0.1"}
        named = {name: told | {"OTEL_SERVICE_NAME": name} for name in ("greeter", "web", "script")}
        with (
            serving(start, environment, folder_of("grpc_hello", parent), greeter, **named["greeter"]),
            serving(
                start,
                environment,
                folder_of("flask_app", parent),
                web,
                GREETER=f"127.0.0.1:{greeter}",
                **named["web"],
            ),
        ):
            script = folder_of("requests_script", parent)
            printed = run(start, environment, script, WEB=f"http://127.0.0.1:{web}", **named["script"])
    return Visit(printed, receiver.telemetry)


def way(trace: Trace) -> list[tuple[str, str, str]]:
    """The spans of a trace that has no branches, outermost first."""
    found = list(walk(trace))
    assert [depth for depth, _ in found] == list(range(len(found)))
    return [(span.service, span.kind, span.name) for _, span in found]


def span_of(trace: Trace, service: str, kind: str) -> Span:
    """The only one of its kind."""
    (found,) = trace.of(service=service, kind=kind)
    return found


def chain(span: Span) -> list[tuple[str, str]]:
    """The error chain that stands on a span, root first."""
    services = span.attributes["resilience.error.chain.services"]
    return list(zip(services, span.attributes["resilience.error.chain.codes"], strict=True))


def test_the_programs_do_what_they_did(visit: Visit) -> None:
    assert visit.printed.splitlines() == ["world 200", *["nobody 500"] * 4]


def test_each_call_is_one_trace_with_a_guard_around_each_attempt(visit: Visit) -> None:
    assert [way(trace) for trace in visit.traces] == [WAY, WAY, WAY, WAY, WAY[:4]]


def test_a_call_that_succeeds_carries_no_error(visit: Visit) -> None:
    for span in visit.traces[0].spans:
        assert span.status != "ERROR"
        assert not [name for name in span.attributes if name.startswith("resilience.error")]


def test_the_error_chain_comes_over_grpc_and_http(visit: Visit) -> None:
    begun = ("greeter", "UNAVAILABLE")
    for trace in visit.traces[1:4]:
        root = span_of(trace, "greeter", "SERVER")
        assert chain(root) == [begun]
        assert chain(span_of(trace, "web", "SERVER")) == [begun, ("web", "UNAVAILABLE")]
        outermost = span_of(trace, "script", "INTERNAL")
        assert chain(outermost) == [begun, ("web", "UNAVAILABLE"), ("script", "HTTP_500")]
        assert outermost.attributes["resilience.error.root.trace_id"] == trace.trace_id
        assert outermost.attributes["resilience.error.root.span_id"] == root.span_id


def test_the_open_circuit_refuses_and_names_what_opened_it(visit: Visit) -> None:
    opening, refused = visit.traces[3:]
    guard = span_of(refused, "web", "INTERNAL")
    assert guard.attributes["resilience.outcome"] == "rejected"
    assert guard.attributes["resilience.circuit_breaker.cause.service"] == "greeter"
    assert guard.attributes["resilience.circuit_breaker.cause.trace_id"] == opening.trace_id
    assert chain(span_of(refused, "script", "INTERNAL")) == [("web", "CIRCUIT_OPEN"), ("script", "HTTP_500")]


def test_the_breaker_of_the_page_is_open_in_the_metrics(visit: Visit) -> None:
    states = {
        point.attributes["resilience.circuit_breaker.state"]: point.value
        for point in visit.telemetry.points
        if (point.service, point.name) == ("web", "resilience.circuit_breaker.status")
        and point.attributes["resilience.policy.name"] == "greeter"
    }
    assert {state for state, value in states.items() if value} == {"open"}


def test_none_of_the_programs_knows_of_us() -> None:
    written = "".join(path.read_text(encoding="utf-8") for path in PROGRAMS.rglob("*.py")).casefold()
    assert written
    assert not {"resilience", "opentelemetry", "otel"} & set(re.findall(r"[a-z]+", written))
