"""The project's own files, as the checks of this folder read them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
PACKAGES = {
    "otel_resilience": PROJECT / "otel_resilience",
    "otel_resilience_instrumentation": PROJECT / "instrumentation" / "otel_resilience_instrumentation",
}


def python_files(*roots: str) -> list[Path]:
    """Every Python file below the given folders of the project."""
    return sorted(path for root in roots for path in (PROJECT / root).rglob("*.py"))


def modules() -> dict[str, Path]:
    """Every module of both packages, by its dotted name."""
    found = {}
    for package, folder in PACKAGES.items():
        for path in sorted(folder.rglob("*.py")):
            parts = [package, *path.relative_to(folder).with_suffix("").parts]
            found[".".join(part for part in parts if part != "__init__")] = path
    return found


@cache
def outside_imports(path: Path) -> frozenset[str]:
    """The dotted names that a file imports at run time, at its top or inside a function."""
    return frozenset(_imported(ast.parse(path.read_text(encoding="utf-8"), str(path))))


def _imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for other in node.orelse:
                yield from _imported(ast.Module([other], []))
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        else:
            yield from _imported(node)


def is_within(name: str, room: str) -> bool:
    """Whether a dotted name is that room or lies in it."""
    return name == room or name.startswith(f"{room}.")
