"""Exceptions whose attributes raise are answered, and told, like others."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any

import flask
import pytest

from tests.instrumentation.flask.shop import ask, chain_of, raising


class Word(str, enum.Enum):  # noqa: UP042 - what applications have, and not what StrEnum is
    """``str()`` of a member is ``Word.SOLD_OUT``."""

    SOLD_OUT = "SOLD_OUT"


class CodeIsAMember(Exception):
    error_code = Word.SOLD_OUT


class CodeRaises(Exception):
    @property
    def error_code(self) -> str:
        raise RuntimeError("no code")


def test_a_code_that_raises_is_no_code(instrumented: None) -> None:
    answer = ask(raising(CodeRaises()))
    chain = chain_of(answer)
    assert answer.status == 500
    assert chain is not None
    assert chain.root.code == "INTERNAL"


def answering(status: int) -> Callable[[flask.Flask], None]:
    def change(app: flask.Flask) -> None:
        app.register_error_handler(CodeIsAMember, lambda error: ("sold out", status))

    return change


@pytest.mark.parametrize("change", [None, answering(503), answering(429)])
def test_a_code_that_is_a_member_of_an_enumeration_is_its_value(instrumented: None, change: Any) -> None:
    chain = chain_of(ask(raising(CodeIsAMember()), change))
    assert chain is not None
    assert chain.root.code == "SOLD_OUT"
