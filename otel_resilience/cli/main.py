"""The command ``otel-resilience``: finds the subcommand and runs it."""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import sys
from collections.abc import Callable, Sequence

from otel_resilience.cli import check

_DISTRIBUTION = "otel-resilience"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line. Exit status: 0 fine, 1 something was found, 2 bad use."""
    given = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(
        prog="otel-resilience",
        description="Resilience for Python services that OpenTelemetry can see.",
        epilog="Exit status: 0 fine, 1 something was found, 2 bad use.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {_version()}")
    commands = parser.add_subparsers(title="commands", dest="command", metavar="COMMAND", required=True)
    runs: dict[str, Callable[[argparse.Namespace], int]] = {"check": check.run}
    check.add_parser(commands)
    try:
        _add_demo(given, commands, runs)
        return runs[(arguments := parser.parse_args(given)).command](arguments)
    except _MissingExtraError as missing:
        print(missing, file=sys.stderr)
        return 2
    except BrokenPipeError:
        # Whoever read our output has gone (``| head``); the interpreter must not stumble over it once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


class _MissingExtraError(Exception):
    """A subcommand whose libraries are not installed."""


def _add_demo(
    given: list[str],
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    runs: dict[str, Callable[[argparse.Namespace], int]],
) -> None:
    if given[:1] != ["demo"]:
        # Known to --help and to whoever mistypes a command, without the import of what only the demo needs.
        commands.add_parser("demo", help="run a small shop of four services and see one failure whole")
        return
    try:
        from otel_resilience.cli.demo import command
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "otel_resilience":
            raise
        raise _MissingExtraError(
            f"the demo needs {error.name}: pip install '{_DISTRIBUTION}[demo]'"
        ) from error
    command.add_parser(commands)
    runs["demo"] = command.run


def _version() -> str:
    try:
        return importlib.metadata.version(_DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        return "(not installed)"


if __name__ == "__main__":
    sys.exit(main())
