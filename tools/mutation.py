"""Mutation testing of a module: change it in one place at a time, and see whether its tests find out.

    python tools/mutation.py otel_resilience/policies/circuit_breaker/state.py tests/policies/circuit_breaker/test_state.py …

Prints every mutant that survives and the score; the exit status is 1 below the wanted score. Each mutant lives in a forked process that has
the test tools loaded already, and in no file. Needs `fork`.
"""

from __future__ import annotations

import argparse
import ast
import copy
import importlib
import importlib.abc
import importlib.machinery
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import CodeType, ModuleType

PROJECT = Path(__file__).resolve().parents[1]
#: A mutant that loops is found out by the time it takes.
SECONDS = 30

_COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
_COMPUTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult,
    ast.Mod: ast.Mult, ast.FloorDiv: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip
_NAMED = {"min": "max", "max": "min", "any": "all", "all": "any"}

Mutate = Callable[[], None]


@dataclass(frozen=True)
class Mutant:
    """The whole module with one place changed."""

    line: int
    change: str
    code: CodeType


def mutants(path: Path) -> list[Mutant]:
    """Every mutant of the module at ``path``."""
    source = path.read_text(encoding="utf-8")
    whole = ast.parse(source)
    made = []
    for number, (line, change, _) in enumerate(list(_places(whole))):
        tree = copy.deepcopy(whole)
        _, _, mutate = list(_places(tree))[number]
        mutate()
        made.append(Mutant(line, change, compile(ast.fix_missing_locations(tree), str(path), "exec")))
    return made


def _places(tree: ast.Module) -> Iterator[tuple[int, str, Mutate]]:
    for node in _code_of(tree):
        line = getattr(node, "lineno", 0)
        for change, mutate in _changes(node):
            yield line, change, mutate


def _code_of(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes that run and decide: no annotations, no decorators, no lists of names."""
    if isinstance(node, ast.Assign) and any("__" in ast.unparse(target) for target in node.targets):
        return
    yield node
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "bases"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _code_of(child)


def _changes(node: ast.AST) -> Iterator[tuple[str, Mutate]]:
    match node:
        case ast.Compare(ops=[operator]) if type(operator) in _COMPARED:
            other = _COMPARED[type(operator)]
            yield f"{_text(node)}: {other.__name__}", lambda: setattr(node, "ops", [other()])
        case ast.BinOp() | ast.AugAssign() if type(node.op) in _COMPUTED:
            computed = _COMPUTED[type(node.op)]
            yield f"{_text(node)}: {computed.__name__}", lambda: setattr(node, "op", computed())
        case ast.BoolOp():
            joined = ast.Or if isinstance(node.op, ast.And) else ast.And
            yield f"{_text(node)}: {joined.__name__}", lambda: setattr(node, "op", joined())
        case ast.UnaryOp(op=ast.Not()):
            yield (
                f"{_text(node)}: no not",
                lambda: setattr(node, "operand", ast.UnaryOp(ast.Not(), node.operand)),
            )
        case ast.Constant(value=bool()):
            yield f"{node.value}: {not node.value}", lambda: setattr(node, "value", not node.value)
        case ast.Constant(value=int() | float()):
            yield f"{node.value}: one more", lambda: setattr(node, "value", node.value + 1)
        case ast.Call(func=ast.Name(id=called)) if called in _NAMED:
            yield f"{_text(node)}: {_NAMED[called]}", lambda: setattr(node.func, "id", _NAMED[called])
    if isinstance(node, ast.If | ast.IfExp | ast.While) and not isinstance(node.test, ast.Compare):
        test = node.test
        yield f"if {_text(test)}: not", lambda: setattr(node, "test", ast.UnaryOp(ast.Not(), test))
    if isinstance(node, ast.Return) and node.value is not None and _text(node.value) not in ("None", "()"):
        yield f"{_text(node)}: None", lambda: setattr(node, "value", ast.Constant(None))
    if isinstance(node, ast.FunctionDef | ast.If | ast.For | ast.While):
        yield from _left_out(node.body)


def _left_out(body: list[ast.stmt]) -> Iterator[tuple[str, Mutate]]:
    for place, statement in enumerate(body):
        called = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)
        if called or isinstance(statement, ast.Assign | ast.AugAssign):
            yield f"{_text(statement)}: left out", partial(body.__setitem__, place, ast.Pass())


def _text(node: ast.AST) -> str:
    return ast.unparse(node).splitlines()[0][:90]


class _Instead(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives one module other code."""

    def __init__(self, module: str, code: CodeType) -> None:
        self._module, self._code = module, code
        self.used = False

    def find_spec(
        self, name: str, path: object, target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        return importlib.machinery.ModuleSpec(name, self) if name == self._module else None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        self.used = True
        exec(self._code, module.__dict__)  # noqa: S102 — that is what a mutant is


def _live(module: str, mutant: Mutant, tests: Sequence[str]) -> int:
    """Start a process in which the tests meet ``mutant``; its status is 0 if they find nothing."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        signal.alarm(SECONDS)
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        instead = _Instead(module, mutant.code)
        sys.meta_path.insert(0, instead)
        import pytest

        # Plain: our package has a plugin, so pytest would load all of it from the files, to rewrite what they assert.
        options = ["-x", "-q", "-p", "no:cacheprovider", "--hypothesis-seed=0", "--assert=plain"]
        status = int(pytest.main([*options, *tests]))
        if not instead.used:
            status = 1  # nobody has met the mutant, which without any change ends the run
    finally:
        os._exit(status)


def survivors(module: str, found: Sequence[Mutant], tests: Sequence[str], together: int) -> list[Mutant]:
    """The mutants that the tests do not find, ``together`` of them tried at a time."""
    waiting, running, survived = list(reversed(found)), dict[int, Mutant](), list[Mutant]()
    while waiting or running:
        while waiting and len(running) < together:
            mutant = waiting.pop()
            running[_live(module, mutant, tests)] = mutant
        pid, status = os.wait()
        mutant = running.pop(pid)
        if status == 0:
            survived.append(mutant)
            if mutant.line:
                print(f"  survives: line {mutant.line}: {mutant.change}", flush=True)
    return survived


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("module", type=Path, help="the file to be changed")
    parser.add_argument("tests", nargs="+", help="what should find it out, the quickest first")
    parser.add_argument("--score", type=float, default=90.0, help="percent that must be found (default: 90)")
    parser.add_argument("--together", type=int, default=2, help="processes at a time (default: 2)")
    asked = parser.parse_args()
    os.chdir(PROJECT)
    sys.path[:0] = [str(PROJECT), str(PROJECT / "instrumentation")]
    # Loaded once for all: what costs time, and knows nothing of the module.
    for tool in ("pytest", "hypothesis.stateful", "opentelemetry.trace", "asyncio"):
        importlib.import_module(tool)
    module = ".".join(asked.module.resolve().relative_to(PROJECT).with_suffix("").parts)
    whole = Mutant(0, "nothing", compile(asked.module.read_text(encoding="utf-8"), str(asked.module), "exec"))
    if not survivors(module, [whole], asked.tests, 1):
        print("the tests fail, or never load the module, without any change: nothing can be learnt from them")
        return 2
    found, began = mutants(asked.module), time.monotonic()
    survived = survivors(module, found, asked.tests, asked.together)
    score = 100.0 * (1 - len(survived) / len(found))
    print(
        f"{asked.module}: {len(found) - len(survived)} of {len(found)} found out, {score:.1f} %, in {time.monotonic() - began:.0f} s"
    )
    return 0 if score >= asked.score else 1


if __name__ == "__main__":
    sys.exit(main())
