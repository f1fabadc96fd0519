"""What the demo prints at its end, for people and for machines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from otel_resilience.cli.demo.check import Check
from otel_resilience.cli.demo.customer import Phase
from otel_resilience.cli.demo.plan import Plan
from otel_resilience.cli.demo.story import Episode, Result, Story, Transition
from otel_resilience.cli.demo.traces import Trace, walk
from otel_resilience.cli.demo.tree import answer_of, lines_of


def print_report(console: Console, plan: Plan, story: Story, checks: Sequence[Check]) -> None:
    """A failing checkout, a rejected one, the breaker's history, the counts, and whatever is not as it must be."""
    console.print()
    _print_episode(console, f"A failing checkout: {plan.fault}", _first(story, Result.FAILURE))
    if plan.opens:
        _print_episode(console, "A checkout while the circuit is open", _first(story, Result.REJECTION))
    _print_history(console, story.transitions)
    console.print(Text("What the customer got", style="bold"))
    console.print(_counts(story))
    _print_verdict(console, checks)


def as_json(plan: Plan, story: Story, checks: Sequence[Check]) -> dict[str, Any]:
    """The same as values that JSON knows. Times are Unix seconds."""
    failing = _first(story, Result.FAILURE)
    rejected = _first(story, Result.REJECTION)
    return {
        "ok": all(check.holds for check in checks),
        "fault": asdict(plan.fault),
        "phases": {str(phase): asdict(story.counts(phase)) for phase in Phase},
        "circuit_breaker": [
            asdict(transition) | {"time": transition.time / 1e9} for transition in story.transitions
        ],
        "failing_checkout": None if failing is None else _trace_as_json(failing.trace),
        "rejected_checkout": None if rejected is None else _trace_as_json(rejected.trace),
        "checks": len(checks),
        "not_as_it_must_be": [
            {"where": check.where, "what": check.what, "must_be": repr(check.wanted), "is": repr(check.seen)}
            for check in checks
            if not check.holds
        ],
    }


def _first(story: Story, result: Result) -> Episode | None:
    return next(
        (each for each in story.of(Phase.FAILING, result) if each.trace is not None),
        None,
    )


def _print_episode(console: Console, title: str, episode: Episode | None) -> None:
    console.print(Text(title, style="bold"))
    if episode is None or episode.trace is None:
        console.print("  there was none")
    else:
        for line in lines_of(episode.trace):
            # Never cut or folded: a line too long for the terminal is still whole when it is copied.
            console.print(line, soft_wrap=True)
    console.print()


def _print_history(console: Console, transitions: Sequence[Transition]) -> None:
    console.print(Text("The circuit breaker's history (UTC)", style="bold"))
    if not transitions:
        console.print("closed all the time")
    for each in transitions:
        line = Text(datetime.fromtimestamp(each.time / 1e9, UTC).strftime("%H:%M:%S.%f")[:-3])
        line.append(f"  {each.service} → {each.policy}  {each.previous} → {each.state}")
        console.print(line, soft_wrap=True)
        if each.state == "open" and each.cause_code:
            cause = (
                f"    opened by {each.cause_service or '?'} {each.cause_code} in trace {each.cause_trace_id}"
            )
            console.print(Text(cause, style="yellow"), soft_wrap=True)
    console.print()


def _counts(story: Story) -> Table:
    table = Table()
    table.add_column("phase")
    for column in ("success", "rejection", "failure"):
        table.add_column(column, justify="right")
    for phase in Phase:
        counts = story.counts(phase)
        table.add_row(str(phase), str(counts.successes), str(counts.rejections), str(counts.failures))
    return table


def _print_verdict(console: Console, checks: Sequence[Check]) -> None:
    broken = [check for check in checks if not check.holds]
    if not broken:
        console.print(Text(f"All {len(checks)} checks hold.", style="green"))
        return
    console.print(Text(f"{len(broken)} of {len(checks)} checks do not hold:", style="bold red"))
    groups: dict[str, list[Check]] = {}
    for check in broken:
        groups.setdefault(check.what, []).append(check)
    for group in groups.values():
        more = f" (and in {len(group) - 1} more checkouts)" if len(group) > 1 else ""
        console.print(Text(f"  ✗ {group[0]}{more}", style="red"), soft_wrap=True)


def _trace_as_json(trace: Trace | None) -> dict[str, Any] | None:
    if trace is None:
        return None
    return {
        "trace_id": trace.trace_id,
        "spans": [
            {
                "depth": depth,
                "service": span.service,
                "name": span.name,
                "kind": span.kind,
                "status": span.status,
                "answer": answer_of(span),
                "span_id": span.span_id,
                "parent_id": span.parent_id,
                "start": span.start / 1e9,
                "milliseconds": span.milliseconds,
                "attributes": dict(span.attributes),
            }
            for depth, span in walk(trace)
        ],
    }
