"""``otel-resilience check``: what a policy file guards, or everything that is wrong with it."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from otel_resilience.cli.listing import as_data, match_texts, operation_text, policy_texts
from otel_resilience.config.faults import Fault, PolicyFileError
from otel_resilience.config.read import read_policy_file
from otel_resilience.config.specs import FileSpec
from otel_resilience.outcome import Mode

if TYPE_CHECKING:
    from argparse import _SubParsersAction

_COLUMNS = ("service", "match", "operation", "policies")


def add_parser(commands: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Make ``check`` known to the command line."""
    parser = commands.add_parser(
        "check",
        help="check policy files before they ship",
        description="Reads policy files and prints what they guard, or every fault as FILE:LINE: path: reason. "
        "Exit status: 0 all are right, 1 a fault was found or a file cannot be read, 2 bad use.",
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="a policy file, YAML or TOML (.toml)")
    parser.add_argument("--json", action="store_true", help="print one JSON object for machines")


def run(arguments: argparse.Namespace) -> int:
    """Check the files; the exit status."""
    read = [(name, _read(name)) for name in arguments.files]
    right = not any(isinstance(found, tuple) for _, found in read)
    if arguments.json:
        print(json.dumps({"ok": right, "files": [_data(name, found) for name, found in read]}, indent=2))
    else:
        for name, found in read:
            _print(name, found)
    return 0 if right else 1


def _read(name: str) -> FileSpec | tuple[Fault, ...]:
    try:
        return read_policy_file(name)
    except PolicyFileError as error:
        return error.faults


def _data(name: str, found: FileSpec | tuple[Fault, ...]) -> dict[str, Any]:
    if isinstance(found, FileSpec):
        return {"file": name, "ok": True, "faults": [], **as_data(found)}
    faults = [{"path": fault.path, "line": fault.line, "reason": fault.reason} for fault in found]
    return {"file": name, "ok": False, "faults": faults}


def _print(name: str, found: FileSpec | tuple[Fault, ...]) -> None:
    if not isinstance(found, FileSpec):
        for fault in found:
            place = name if fault.line is None else f"{name}:{fault.line}"
            print(": ".join(part for part in (place, fault.path, fault.reason) if part))
        return
    if found.services and not _print_table(found):
        for service, match, operation, policies in _rows(found):
            policy = " > ".join(policies) or "not guarded"
            print(f"  {operation}: {policy}" if operation else f"{service} [{', '.join(match)}]: {policy}")
    print(f"{name}: ok (mode {found.mode}, propagation {found.propagation}, {_guarded(found)})")


def _rows(spec: FileSpec) -> Iterator[tuple[str, list[str], str, list[str]]]:
    """Service, match, operation and policies; a service's operations follow it."""
    for each in spec.services.values():
        mode = each.mode or spec.mode
        name = each.name if mode is spec.mode else f"{each.name} ({mode})"
        yield name, match_texts(each), "", policy_texts(each.policies)
        for operation in each.operations.values():
            yield "", [], operation_text(operation), policy_texts(operation.policies)


def _guarded(spec: FileSpec) -> str:
    count = sum(each.guarded and (each.mode or spec.mode) is not Mode.OFF for each in spec.services.values())
    return f"{count} service{'' if count == 1 else 's'} guarded"


def _print_table(spec: FileSpec) -> bool:
    """What is guarded as a table, on a terminal; false where that is none, or rich is not there."""
    if not sys.stdout.isatty():
        return False
    try:
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text
    except ImportError:
        return False
    table = Table(show_lines=True)
    for column in _COLUMNS:
        table.add_column(column, overflow="fold")
    for service, match, operation, policies in _rows(spec):
        cells = (service, "\n".join(match), operation, "\n".join(policies) or "not guarded")
        table.add_row(*map(Text, cells))
    Console().print(table)
    return True
