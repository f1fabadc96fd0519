"""An answer that is made while it is sent has its request in hand to the last piece, and no other request has it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import flask
import pytest
from werkzeug.wsgi import ClosingIterator

from otel_resilience import Deadline
from otel_resilience.context import correlation, deadline, request
from tests.instrumentation.flask.shop import ask

ASKED = {"resilience": "deadline=20000", "x_correlation_id": "order-17"}


def in_hand() -> str:
    left = Deadline.current()
    return f"{request.current() is not None} {correlation.current()} {left is not None and left.remaining() > 10};"


def pieces() -> Iterator[str]:
    yield in_hand()
    yield in_hand()


def with_its_context(account: str) -> Any:
    return flask.Response(flask.stream_with_context(pieces()))


def without_it(account: str) -> Any:
    return flask.Response(pieces())


@pytest.mark.parametrize("view", [with_its_context, without_it])
def test_what_makes_the_body_is_in_the_request(instrumented: None, view: Any) -> None:
    assert ask(view, **ASKED).body == b"True order-17 True;" * 2


def test_what_closes_it_is_in_the_request(instrumented: None) -> None:
    closed: list[str] = []

    def view(account: str) -> Any:
        return flask.Response(ClosingIterator(pieces(), lambda: closed.append(in_hand())))

    ask(view, **ASKED)
    assert closed == ["True order-17 True;"]


@pytest.mark.parametrize("view", [with_its_context, without_it])
def test_nothing_of_it_stays_in_the_thread(instrumented: None, view: Any) -> None:
    found: list[Any] = []

    def around(app: flask.Flask) -> Any:
        def middleware(environ: Any, start_response: Any) -> Any:
            for piece in app(environ, start_response):
                found.append((request.current(), correlation.current(), deadline.expires_at()))
                yield piece

        return middleware

    ask(view, around, **ASKED)
    assert set(found) == {(None, None, None)}


def test_a_file_is_handed_on_as_it_is(instrumented: None) -> None:
    bodies: list[str] = []

    def around(app: flask.Flask) -> Any:
        def middleware(environ: Any, start_response: Any) -> Any:
            body = app(environ, start_response)
            bodies.append(type(body).__name__)
            return body

        return middleware

    def view(account: str) -> Any:
        return flask.send_file(__file__)

    with open(__file__, "rb") as file:
        assert ask(view, around).body == file.read()
    assert bodies == ["FileWrapper"]
