"""What goes over the wire with a request, what is taken from an answer, and from whom."""

from __future__ import annotations

from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler

import pytest
import requests
from opentelemetry.instrumentation.utils import suppress_instrumentation
from requests.structures import CaseInsensitiveDict

from otel_resilience import Timeout, error_chain
from otel_resilience.context import correlation
from otel_resilience.context.request import Request
from otel_resilience.errors.codecs import error_chain as codec
from otel_resilience.events import FieldDiscarded
from otel_resilience.testing import Recorder
from otel_resilience_instrumentation._outbound import fields_on
from tests.instrumentation.http_server import Reply, ScriptedServer
from tests.instrumentation.requests.exchange import CHAIN, OutsideWorld, Settings

pytestmark = pytest.mark.usefixtures("instrumented")


class TestOneRequestSentTwiceAtOnce:
    """``fields_on`` in two threads' order: the first to begin is the first to end."""

    @pytest.mark.parametrize("own", [{}, {"X-Correlation-ID": "mine", "resilience": "theirs"}])
    def test_each_says_its_own_and_the_request_ends_as_it_was(
        self, settings: Settings, own: dict[str, str]
    ) -> None:
        settings()
        headers = CaseInsensitiveDict(own)
        said: list[str] = []
        first, second = ExitStack(), ExitStack()
        for sending, correlation_id in ((first, "order-1"), (second, "order-2")):
            token = correlation.enter(correlation_id)
            sending.enter_context(fields_on(headers, "localhost"))
            correlation.leave(token)
            said.append(headers["x-correlation-id"])
        first.close()
        assert headers["resilience"] == "chain"
        second.close()
        assert said == ([own["X-Correlation-ID"]] * 2 if own else ["order-1", "order-2"])
        assert headers == CaseInsensitiveDict(own)


def test_what_a_redirect_was_asked_to_follow_is_clean_too(server: ScriptedServer) -> None:
    """The library notes on every answer of the way which request is next: a copy of the one before."""
    server.answers(Reply(302, {"Location": "/there"}), Reply(302, {"Location": "/and-there"}), Reply())
    response = requests.get(server.url)
    following = [each.next for each in response.history if each.next is not None]
    assert following
    assert all("resilience" not in each.headers for each in following)


class TestUnguarded:
    def test_says_that_it_reads_chains_and_under_which_correlation(self, server: ScriptedServer) -> None:
        token = correlation.enter("order-7")
        try:
            requests.get(server.url)
        finally:
            correlation.leave(token)
        assert server.asked[0].headers["resilience"] == "chain"
        assert server.asked[0].headers["x-correlation-id"] == "order-7"

    def test_passes_the_deadline_on(self, server: ScriptedServer) -> None:
        Timeout(5.0).call(requests.get, server.url)
        parts = server.asked[0].headers["resilience"].split(", ")
        assert 0 < int(parts[0].removeprefix("deadline=")) <= 5000

    def test_puts_the_chain_on_the_response(self, server: ScriptedServer, in_hand: Request) -> None:
        server.answers(Reply(503, {"error-chain": CHAIN}))
        response = requests.get(server.url)
        chain = error_chain(response)
        assert chain is not None
        assert chain.root_cause_code == "DB_UNAVAILABLE"
        assert in_hand.failures
        assert in_hand.failures[-1].received == chain

    def test_finds_the_chain_on_the_error_of_raise_for_status(self, server: ScriptedServer) -> None:
        server.answers(Reply(500, {"error-chain": CHAIN}))
        with pytest.raises(requests.HTTPError) as raised:
            requests.get(server.url).raise_for_status()
        assert error_chain(raised.value) == codec.decode(CHAIN)

    def test_takes_no_chain_from_an_answer_that_is_no_failure(self, server: ScriptedServer) -> None:
        server.answers(Reply(404, {"error-chain": CHAIN}))
        assert error_chain(requests.get(server.url)) is None

    @pytest.mark.parametrize(
        ("field", "reason"),
        [("<script>", "malformed"), ("x" * 4096, "oversized"), ('"a";c=lower', "malformed")],
    )
    def test_ignores_and_counts_a_hostile_chain(
        self, server: ScriptedServer, field: str, reason: str
    ) -> None:
        server.answers(Reply(503, {"error-chain": field}))
        with Recorder() as recorder:
            response = requests.get(server.url)
        assert response.status_code == 503
        assert error_chain(response) is None
        assert [event.reason for event in recorder.of(FieldDiscarded)] == [reason]

    @pytest.mark.parametrize(
        ("lines", "reasons"),
        [
            (['"a";c=A, "b";c=B', '"c";c=C'], []),
            (['"a";c=A'] * 9, ["malformed"]),
            (['"a";c=A;o="' + "x" * 1000 + '"'] * 3, ["oversized"]),
        ],
    )
    def test_repeated_lines_are_one_chain_or_none(
        self, server: ScriptedServer, lines: list[str], reasons: list[str]
    ) -> None:
        def answer(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(503)
            for line in lines:
                handler.send_header("Error-Chain", line)
            handler.end_headers()

        server.answers(answer)
        with Recorder() as recorder:
            chain = error_chain(requests.get(server.url))
        assert [event.reason for event in recorder.of(FieldDiscarded)] == reasons
        assert (None if chain is None else chain.services_involved) == (None if reasons else ("a", "b", "c"))

    def test_tells_nothing_to_the_world_outside_and_believes_nothing(self) -> None:
        world = OutsideWorld(503, error_chain=CHAIN)
        session = requests.Session()
        session.mount("http://", world)
        with Recorder() as recorder:
            response = session.get("http://shop.example.com/")
        assert not {"resilience", "x-correlation-id"} & {name.lower() for name in world.asked[0]}
        assert error_chain(response) is None
        assert [event.reason for event in recorder.of(FieldDiscarded)] == ["untrusted"]

    def test_judges_each_redirect_anew(self, server: ScriptedServer) -> None:
        world = OutsideWorld()
        server.answers(Reply(302, {"Location": "http://shop.example.com/next"}))
        session = requests.Session()
        session.mount("http://shop.example.com", world)
        session.get(server.url)
        assert "resilience" in server.asked[0].headers
        assert "resilience" not in {name.lower() for name in world.asked[0]}

    def test_a_redirect_inside_carries_the_fields_again(self, server: ScriptedServer) -> None:
        server.answers(Reply(302, {"Location": "/next"}), Reply())
        response = requests.get(server.url)
        assert [asked.path for asked in server.asked] == ["/", "/next"]
        assert server.asked[1].headers["resilience"] == "chain"
        assert "resilience" not in response.request.headers
        assert "resilience" not in response.history[0].request.headers

    def test_a_redirect_that_is_not_followed_keeps_nothing_of_ours(self, server: ScriptedServer) -> None:
        server.answers(Reply(302, {"Location": "http://shop.example.com/next"}))
        response = requests.get(server.url, allow_redirects=False)
        assert response.next is not None
        assert "resilience" not in response.next.headers

    def test_leaves_the_users_request_as_it_was(self, server: ScriptedServer) -> None:
        mine = requests.Request("GET", server.url, headers={"x-correlation-id": "mine"}).prepare()
        headers, hooks = dict(mine.headers), mine.hooks
        with requests.Session() as session:
            session.send(mine)
        assert {k: v for k, v in mine.headers.items() if k != "traceparent"} == headers
        assert mine.hooks is hooks
        assert server.asked[0].headers.get_all("x-correlation-id") == ["mine"]

    def test_nothing_is_added_where_instrumentation_is_suppressed(self, server: ScriptedServer) -> None:
        with suppress_instrumentation():
            requests.get(server.url)
        assert "resilience" not in server.asked[0].headers

    def test_a_url_that_is_none_is_the_librarys_to_refuse(self) -> None:
        with pytest.raises(requests.exceptions.MissingSchema):
            requests.get("nowhere")
        with pytest.raises(requests.exceptions.InvalidURL):
            requests.get("http://host:port/")

    def test_propagation_off_sends_and_reads_nothing(
        self, settings: Settings, server: ScriptedServer
    ) -> None:
        settings(propagation="off")
        server.answers(Reply(503, {"error-chain": CHAIN}))
        assert error_chain(requests.get(server.url)) is None
        assert "resilience" not in server.asked[0].headers
