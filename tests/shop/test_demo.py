"""The demo from end to end, as a user runs it: whichever service fails, all that must be is so, and its exit status says it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

_DEMO = "import sys; from otel_resilience.cli.main import main; sys.exit(main())"


@pytest.mark.parametrize(
    ("fault", "root", "opens"),
    [
        (None, ("ledger", "DB_UNAVAILABLE"), True),
        ("ledger=UNAVAILABLE", ("ledger", "UNAVAILABLE"), True),
        ("payments=CARD_DECLINED", ("payments", "CARD_DECLINED"), True),
        ("orders=SOLD_OUT", ("orders", "SOLD_OUT"), False),
        ("gateway=CART_LOST", ("gateway", "CART_LOST"), False),
    ],
)
def test_the_demo_holds(fault: str | None, root: tuple[str, str], opens: bool) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _DEMO, "demo", "--json", *(["--fail", fault] if fault else [])],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["ok"] is True
    assert told["not_as_it_must_be"] == []
    entry = told["failing_checkout"]["spans"][0]["attributes"]
    assert (entry["resilience.error.root.service"], entry["resilience.error.root.code"]) == root
    assert [change["state"] for change in told["circuit_breaker"]] == (
        ["open", "half_open", "closed"] if opens else []
    )
    assert (told["phases"]["failing"]["rejections"] > 0) is opens
    assert told["phases"]["recovered"] == {"successes": 5, "rejections": 0, "failures": 0}
