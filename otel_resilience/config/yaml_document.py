"""YAML by the 1.2 core schema, as plain values with the line of each.

PyYAML reads YAML 1.1, in which ``on`` is true, ``1:30`` is ninety and ``2001-01-01`` a date. Its scanner and
composer are used here, its idea of scalars is not (YAML 1.2.2, section 10.3). Imported only when there is
YAML to read: the library is an extra.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any

from otel_resilience.config.document import Document
from otel_resilience.config.faults import Fault, Path, shown, written

if TYPE_CHECKING:
    from yaml import Loader, MappingNode, Node, ScalarNode

_TAG = "tag:yaml.org,2002:"
#: In the order in which they are tried; what matches none is a text.
_CORE_SCHEMA = (
    ("null", r"(?:null|Null|NULL|~|)\Z"),
    ("bool", r"(?:true|True|TRUE|false|False|FALSE)\Z"),
    ("int", r"(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)\Z"),
    (
        "float",
        r"(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z",
    ),
)
_PATTERNS = {kind: re.compile(pattern) for kind, pattern in _CORE_SCHEMA}
#: Aliases of aliases make a small file large: more values than this are no policy file.
_MOST_VALUES = 100_000


def read_yaml(text: str) -> Document:
    """``text`` as values and lines. Never raises for what is wrong with it: that is among the faults."""
    try:
        import yaml
    except ImportError:
        return _broken(None, "reading YAML needs PyYAML: pip install 'otel-resilience[config]'")
    try:
        root = yaml.compose(text, Loader=_loader())
        return _Reading().document(root)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        return _broken(line, "holds a character that YAML does not allow")
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reason = error.problem or error.context or "cannot be parsed"
        if reason == "but found another document":
            reason = "a policy file is one document, here a second one begins"
        return _broken(None if mark is None else mark.line + 1, f"is not YAML: {reason}")
    except RecursionError:
        return _broken(None, "is nested too deeply")


def _broken(line: int | None, reason: str) -> Document:
    return Document(None, faults=(Fault("", line, " ".join(reason.split())),))


@functools.cache
def _loader() -> type[Loader]:
    import yaml

    class CoreSchemaLoader(yaml.SafeLoader):
        # An own table, so that PyYAML's, which all its users share, is left alone.
        yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 — the base class declares it without ClassVar

    for kind, pattern in _PATTERNS.items():
        CoreSchemaLoader.add_implicit_resolver(_TAG + kind, pattern, None)
    return CoreSchemaLoader  # type: ignore[return-value]  # the stubs want Loader where any loader class will do


class _Reading:
    """One walk over the nodes of one file."""

    def __init__(self) -> None:
        self._lines: dict[Path, int] = {}
        self._faults: list[Fault] = []
        self._around: set[int] = set()
        self._values = 0

    def document(self, root: Node | None) -> Document:
        value = None if root is None else self._value(root, ())
        if self._values > _MOST_VALUES:
            return _broken(None, f"holds more than {_MOST_VALUES} values, aliases counted each time")
        return Document(value, self._lines, tuple(self._faults))

    def _value(self, node: Node, path: Path) -> Any:
        import yaml

        self._lines.setdefault(path, node.start_mark.line + 1)
        self._values += 1
        if self._values > _MOST_VALUES:
            return None
        if id(node) in self._around:
            return self._refuse(node, path, "an alias must not stand inside of what it names")
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        self._around.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode) and node.tag == f"{_TAG}map":
                return self._map(node, path)
            if isinstance(node, yaml.SequenceNode) and node.tag == f"{_TAG}seq":
                return [self._value(item, (*path, place)) for place, item in enumerate(node.value)]
        finally:
            self._around.discard(id(node))
        return self._refuse(node, path, f"the tag {shown(node.tag)} is not one of YAML's core schema")

    def _map(self, node: MappingNode, path: Path) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self._key(key_node, path)
            if key is None:
                continue
            here = (*path, key)
            if key in values:
                self._refuse(key_node, here, f"the key is written twice, first on line {self._lines[here]}")
                continue
            self._lines[here] = key_node.start_mark.line + 1
            values[key] = self._value(value_node, here)
        return values

    def _key(self, node: Node, path: Path) -> str | None:
        import yaml

        if not isinstance(node, yaml.ScalarNode):
            self._refuse(node, path, "a key must be a text, got a map or a list")
            return None
        if node.style is None and node.value == "<<":
            self._refuse(
                node,
                path,
                "merge keys (<<) are not part of YAML 1.2; defaults are inherited by every service",
            )
            return None
        key = self._scalar(node, path)
        if not isinstance(key, str):
            self._refuse(node, path, f"a key must be a text, got {shown(key)}; put it in quotes")
            return None
        return key

    def _scalar(self, node: ScalarNode, path: Path) -> Any:
        kind = node.tag.removeprefix(_TAG)
        text: str = node.value
        if kind == "str":
            return text
        if kind not in _PATTERNS or not _PATTERNS[kind].match(text):
            return self._refuse(
                node, path, f"the tag {shown(node.tag)} does not fit {shown(text)} in YAML's core schema"
            )
        if kind == "null":
            return None
        if kind == "bool":
            return text.lower() == "true"
        if kind == "float":
            return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
        return self._whole_number(node, text, path)

    def _whole_number(self, node: Node, text: str, path: Path) -> int | None:
        base = {"0o": 8, "0x": 16}.get(text[:2], 10)
        try:
            return int(text[2:] if base != 10 else text, base)
        except ValueError:  # more digits than Python reads
            self._refuse(node, path, "the number has too many digits")
            return None

    def _refuse(self, node: Node, path: Path, reason: str) -> Any:
        """Note a fault; nothing stands in the value's place."""
        self._faults.append(Fault(written(path), node.start_mark.line + 1, reason))
