"""The command's own words: options, and what is refused before anything is started."""

from __future__ import annotations

import pytest

from otel_resilience.cli.main import main


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--fail", "stock=GONE"], "SERVICE must be one of gateway, orders, payments, ledger, got 'stock'"),
        (["--fail", "ledger"], "must be SERVICE=CODE, such as payments=CARD_DECLINED, got 'ledger'"),
        (["--nonsense"], "unrecognized arguments: --nonsense"),
    ],
)
def test_bad_use_is_said_and_ends_with_2(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["demo", *arguments])

    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_an_address_that_is_none_is_bad_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--otlp", "localhost:4317"]) == 2
    assert "--otlp must be http://host:port" in capsys.readouterr().err


def test_help_names_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["demo", "--help"])

    said = capsys.readouterr().out
    assert ended.value.code == 0
    assert all(option in said for option in ("--fail", "--otlp", "--json", "Exit status"))
