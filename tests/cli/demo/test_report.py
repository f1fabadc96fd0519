"""What is printed for people and for machines."""

from __future__ import annotations

import io
import json
import re

from rich.console import Console

from otel_resilience.cli.demo.customer import Phase
from otel_resilience.cli.demo.expectations import check
from otel_resilience.cli.demo.fault import DATABASE_LOST, Fault, read_fault
from otel_resilience.cli.demo.report import as_json, print_report
from otel_resilience.cli.demo.story import tell
from otel_resilience.cli.demo.tree import lines_of
from tests.cli.demo.scene import Scene, plan_of


def printed(scene: Scene, width: int = 140) -> str:
    story = tell(scene.visit, scene.telemetry)
    console = Console(file=io.StringIO(), width=width, highlight=False)
    print_report(console, scene.plan, story, check(scene.plan, story))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def scene_of(fault: Fault = DATABASE_LOST) -> Scene:
    return Scene(plan_of(fault))


def test_the_tree_shows_services_attempts_and_the_chain() -> None:
    text = printed(scene_of())

    for line in (
        "A failing checkout: the ledger's database file is taken away",
        "gateway at gateway  SERVER  502  ERROR HTTP_502",
        "error chain: ledger DB_UNAVAILABLE ← payments UNAVAILABLE ← orders HTTP_503 ← gateway HTTP_502",
        "attempt 1  ERROR",
        "attempt 2  resend_count 1  ERROR",
        "attempt 3  resend_count 2  ERROR",
        "failure after 3 attempts",
        "opened by ledger DB_UNAVAILABLE in trace",
        "orders execute payments  INTERNAL  rejected  circuit open  ERROR",
        "checks hold.",
    ):
        assert line in text, line
    assert text.count("root of the error") == 2, "one in the failing trace, one in the rejected one"


def test_the_root_is_the_last_attempt_at_the_ledger() -> None:
    tree = printed(scene_of()).split("A checkout while")[0]

    assert tree.index("attempt 3") < tree.index("root of the error")


def test_branches_show_who_is_below_whom() -> None:
    tree = printed(scene_of()).split("A checkout while")[0].splitlines()
    shape = [
        line[: len(line) - len(line.lstrip(" │├└"))] for line in tree if "POST" in line or "ledger at" in line
    ]

    assert shape[-6:] == [
        " " * 14 + "├ ",
        " " * 14 + "│ └ ",
        " " * 14 + "├ ",
        " " * 14 + "│ └ ",
        " " * 14 + "└ ",
        " " * 16 + "└ ",
    ]


def test_the_history_is_whole_on_a_narrow_terminal() -> None:
    history = printed(scene_of(), width=80).split("history (UTC)")[1].split("What the customer")[0]
    changes = [line.partition("  ")[2] for line in history.splitlines() if "→" in line]

    assert changes == [
        "orders → payments  closed → open",
        "orders → payments  open → half_open",
        "orders → payments  half_open → closed",
    ]
    assert re.findall(r"    opened by ledger DB_UNAVAILABLE in trace [0-9a-f]{32}$", history, re.MULTILINE)


def test_the_counts_are_a_table() -> None:
    assert [
        line.replace("│", " ").split()
        for line in printed(scene_of()).splitlines()
        if "failing " in line and "│" in line
    ] == [["failing", "0", "5", "3"]]


def test_a_guide_lends_its_style_to_nothing_behind_it() -> None:
    story = tell(scene_of().visit, scene_of().telemetry)
    trace = next(each.trace for each in story.of(Phase.FAILING) if each.trace is not None)
    for line in list(lines_of(trace))[1:]:
        assert line.style == ""


def test_a_fault_before_the_breaker_leaves_it_closed() -> None:
    text = printed(scene_of(read_fault("orders=SOLD_OUT")))

    assert "closed all the time" in text
    assert "while the circuit is open" not in text


def test_what_is_not_as_it_must_be_is_listed_once_for_all_its_checkouts() -> None:
    scene = scene_of()
    scene.logs.clear()
    scene.change(lambda span: True, attributes={})

    text = printed(scene)

    assert "checks do not hold:" in text
    assert (
        text.count(
            "correlation ids on its spans: must be {'healthy-1'}, is {None} (and in 17 more checkouts)"
        )
        == 1
    )


def test_the_same_for_machines() -> None:
    scene = scene_of()
    story = tell(scene.visit, scene.telemetry)

    result = json.loads(json.dumps(as_json(scene.plan, story, check(scene.plan, story))))

    assert result["ok"] is True
    assert result["not_as_it_must_be"] == []
    assert result["phases"]["failing"] == {"successes": 0, "rejections": 5, "failures": 3}
    assert [each["state"] for each in result["circuit_breaker"]] == ["open", "half_open", "closed"]
    entry = result["failing_checkout"]["spans"][0]
    assert (entry["depth"], entry["service"], entry["answer"]) == (0, "gateway", "502")
    assert entry["attributes"]["resilience.error.root.service"] == "ledger"


def test_no_colour_off_a_terminal() -> None:
    assert "\x1b" not in printed(scene_of())
