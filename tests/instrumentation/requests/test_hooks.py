"""Requests that a hook of the user's makes on the session of the call that it belongs to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from opentelemetry.instrumentation.utils import suppress_instrumentation

from otel_resilience.events import ExecutionFinished
from otel_resilience.testing import Recorder
from otel_resilience_instrumentation.requests import RequestsInstrumentor
from tests.instrumentation.http_server import Reply, ScriptedServer

GUARDED = """
    services:
      shop:
        match: ["127.0.0.1"]
        timeout: 5s
    """


@pytest.fixture(autouse=True)
def instrumented(settings: Callable[..., Any]) -> Iterator[None]:
    settings(GUARDED)
    instrumentor = RequestsInstrumentor()
    instrumentor.instrument()
    yield
    instrumentor.uninstrument()


def test_a_hooks_own_request_has_its_own_hooks_and_not_ours(server: ScriptedServer) -> None:
    server.script = [Reply(401)]
    met: list[str] = []
    session = requests.Session()

    def renew(response: requests.Response, **kwargs: Any) -> None:
        met.append("renew")
        if len(met) < 5:
            session.get(server.url + "/token", hooks={"response": lambda *_, **__: met.append("token")})

    with Recorder() as seen:
        session.get(server.url + "/things", hooks={"response": renew})
    assert met == ["renew", "token"]
    assert len(seen.of(ExecutionFinished)) == 2


def test_an_exporter_inside_a_call_is_left_alone(server: ScriptedServer) -> None:
    """One that exports each span as it ends does so in the middle of the call."""

    def export(response: requests.Response, **kwargs: Any) -> None:
        with suppress_instrumentation():
            requests.Session().get(server.url + "/v1/traces")

    with Recorder() as seen:
        requests.get(server.url, hooks={"response": export})
    assert "resilience" not in server.asked[1].headers
    assert len(seen.of(ExecutionFinished)) == 1


def test_a_request_that_two_threads_send_at_once_ends_as_it_was(server: ScriptedServer) -> None:
    both = threading.Barrier(2, timeout=10)
    prepared = requests.Request("GET", server.url + "/things").prepare()

    def meet(response: requests.Response, **kwargs: Any) -> None:
        both.wait()

    prepared.hooks["response"] = [meet]
    hooks = prepared.hooks

    def send() -> None:
        with requests.Session() as session:
            session.send(prepared)

    threads = [threading.Thread(target=send) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert prepared.hooks is hooks
