"""``otel-resilience demo``: start the shop, let it fail, and say whether its telemetry tells the truth."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from otel_resilience.cli.demo.fault import DATABASE_LOST, WAY, Fault, read_fault

if TYPE_CHECKING:
    from rich.console import Console

    from otel_resilience.cli.demo.forward import Forward
    from otel_resilience.cli.demo.plan import Plan
    from otel_resilience.cli.demo.story import Story

OK, NOT_AS_IT_MUST_BE, BAD_USE = 0, 1, 2

_WIDTH_OFF_A_TERMINAL = 120
#: What the demo needs beyond the library itself.
_NEEDED = ("flask", "grpc", "opentelemetry.proto", "opentelemetry.sdk", "requests", "rich", "yaml")


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add ``demo`` to the commands."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "demo",
        help="a shop of four services that fails for real, and what its telemetry says of it",
        description="Starts a shop of four plain services under opentelemetry-instrument (gateway → orders → payments → "
        "ledger; Flask, gRPC and SQLite), sends it requests while it is healthy, failing and recovered, and shows a failing "
        "request as a tree, the circuit breaker's history and the counts of each phase. Takes less than a minute; needs no "
        "collector. Exit status: 0 all is what it must be, 1 something is not, 2 bad use.",
    )
    parser.add_argument(
        "--fail",
        metavar="SERVICE=CODE",
        type=_argument(read_fault),
        default=DATABASE_LOST,
        help=f"let SERVICE ({', '.join(WAY)}) raise an error with the code CODE, such as payments=CARD_DECLINED "
        "(default: the ledger's database file is taken away)",
    )
    parser.add_argument(
        "--otlp",
        metavar="URL",
        help="send everything on to your own collector too: OTLP over gRPC, such as http://localhost:4317",
    )
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")
    return parser


def run(args: argparse.Namespace) -> int:
    """Run the demo; the exit status."""
    missing = [name for name in _NEEDED if not _is_there(name)]
    if missing:
        return _bad_use(f"{', '.join(missing)} not installed: pip install 'otel-resilience[demo]'")
    from rich.console import Console

    from otel_resilience.cli.demo.forward import Forward
    from otel_resilience.cli.demo.programs import ProgramError

    try:
        forward = Forward(args.otlp) if args.otlp else None
    except ValueError as error:
        return _bad_use(f"--otlp {error}")
    # With --json the one object has the standard output to itself.
    console = Console(stderr=args.json, highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = _WIDTH_OFF_A_TERMINAL
    # A demo that is told to end must not leave its services behind: SIGTERM goes the way of Ctrl-C.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        plan, story, checks = _play(args.fail, forward, console)
    except ProgramError as error:
        print(f"otel-resilience demo: {error}", file=sys.stderr)
        return NOT_AS_IT_MUST_BE
    except KeyboardInterrupt:
        print("otel-resilience demo: interrupted; the services have ended", file=sys.stderr)
        return 130
    finally:
        signal.signal(signal.SIGTERM, before)
    from otel_resilience.cli.demo.report import as_json, print_report

    if args.json:
        print(json.dumps(as_json(plan, story, checks), indent=2, default=str))
    else:
        print_report(console, plan, story, checks)
    if forward is not None:
        _say_where_to_look(console, forward, story)
    return OK if all(check.holds for check in checks) else NOT_AS_IT_MUST_BE


def _play(fault: Fault, forward: Forward | None, console: Console) -> tuple[Plan, Story, list[Any]]:
    from otel_resilience.cli.demo.customer import visit
    from otel_resilience.cli.demo.expectations import check
    from otel_resilience.cli.demo.plan import Plan
    from otel_resilience.cli.demo.policies import read_policies
    from otel_resilience.cli.demo.processes import Shop
    from otel_resilience.cli.demo.progress import Progress
    from otel_resilience.cli.demo.receiver import Receiver
    from otel_resilience.cli.demo.story import tell

    plan = Plan(fault=fault, policies=read_policies())
    began = time.monotonic()
    with ExitStack() as stack:
        progress = stack.enter_context(Progress(console))
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="otel-resilience-demo-")))
        if forward is not None:
            stack.enter_context(forward)
        receiver = stack.enter_context(Receiver(forward))
        progress.doing(f"starting {', '.join(WAY)} under opentelemetry-instrument")
        with Shop(directory, receiver.endpoint) as shop:
            progress.done("four services started")
            seen = visit(shop, plan, progress.checked_out, progress.waiting)
            progress.doing("stopping the services, which sends their last telemetry")
        progress.done(f"services stopped; {time.monotonic() - began:.0f} s in all")
    story = tell(seen, receiver.telemetry)
    return plan, story, check(plan, story)


def _say_where_to_look(console: Console, forward: Forward, story: Story) -> None:
    from otel_resilience.cli.demo.customer import Phase

    def say(line: str) -> None:
        # Not folded: an address is to be copied whole.
        console.print(line, soft_wrap=True, markup=False)

    if forward.lost:
        say(
            f"{forward.lost} of {forward.lost + forward.sent} requests did not reach {forward.url}: {forward.failure}"
        )
    if forward.sent:
        failing = next((each.trace for each in story.of(Phase.FAILING) if each.trace is not None), None)
        say(f"Sent to {forward.url} ({forward.sent} requests). Where to look:")
        if failing is not None:
            say(
                f"  Jaeger: the trace {failing.trace_id} (often http://localhost:16686/trace/{failing.trace_id})"
            )
        say('  Prometheus: resilience_circuit_breaker_status{resilience_circuit_breaker_state="open"}')


def _argument(read: Any) -> Any:
    """``read`` for argparse, which shows the words of its own error class only."""

    def convert(text: str) -> Any:
        try:
            return read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return convert


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # not even the package around it
        return False


def _bad_use(message: str) -> int:
    print(f"otel-resilience demo: {message}", file=sys.stderr)
    return BAD_USE
