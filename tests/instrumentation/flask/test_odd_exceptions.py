"""Exceptions whose attributes raise are answered, and told, like others."""

from __future__ import annotations

from tests.instrumentation.flask.shop import ask, chain_of, raising


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
