"""The shape of a policy's options: which keys, how each is written, and the options class that knows the rules.

The rules themselves (what is too small, what contradicts what) stay where they are for code too: in the
options. Each value is tried alone where it is written, so that its fault is found at its own line; all are
tried together after merging.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from otel_resilience.config.document import Document
from otel_resilience.config.faults import Fault, Path, did_you_mean, shown
from otel_resilience.exceptions import ConfigurationError

Tree = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Value:
    """One option.

    ``convert`` turns what is written into the option's type, or raises ``ValueError`` with the rule, ``UnfitItems``
    with that of single items.
    """

    convert: Callable[[Any], Any]


class UnfitItems(ValueError):
    """Some items of a list, by their ``places``, are not what the rule says."""

    def __init__(self, rule: str, places: Iterable[int]) -> None:
        super().__init__(rule)
        self.places = tuple(places)


@dataclass(frozen=True, slots=True)
class Map:
    """Options under one key. ``build`` makes the frozen options, or raises ``ConfigurationError``."""

    build: Callable[..., Any]
    keys: Mapping[str, Value | Map]
    #: Keys that the format has and this version does not, and keys that only code can say.
    absent: Mapping[str, str] = field(default_factory=dict)
    #: Keys that must be there once all that is inherited is merged.
    required: tuple[str, ...] = ()


class Reader:
    """Reads written maps by their shapes; what is wrong is kept, what is right is returned."""

    def __init__(self, document: Document) -> None:
        self.document = document
        # In their order, each once: two services may inherit one contradiction.
        self._faults: dict[Fault, None] = dict.fromkeys(document.faults)
        self._refused: set[Path] = set()

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What is wrong so far."""
        return tuple(self._faults)

    def refuse(self, path: Path, reason: str) -> None:
        """Note a fault, once."""
        self._faults[self.document.fault(path, reason)] = None
        self._refused.add(path)

    def has_refused(self, path: Path) -> bool:
        """Whether a fault is noted for ``path`` itself."""
        return path in self._refused

    def is_map(self, value: Any, path: Path, rule: str) -> bool:
        """Whether ``value`` is a map; a fault if not."""
        if isinstance(value, dict):
            return True
        self.refuse(path, f"must be {rule}, got {shown(value)}")
        return False

    def refuse_key(self, path: Path, known: Mapping[str, Any], absent: Mapping[str, str]) -> None:
        """The fault of a key that is not one."""
        key = str(path[-1])
        self.refuse(path, absent.get(key) or f"unknown key; {did_you_mean(key, known)}")

    def read(self, shape: Map, tree: Tree, path: Path) -> Tree:
        """The right part of ``tree``, its values converted; ``None`` stays, as the mark of what is to be removed."""
        right: Tree = {}
        for key, value in tree.items():
            here = (*path, key)
            known = shape.keys.get(key)
            if known is None:
                self.refuse_key(here, shape.keys, shape.absent)
            elif value is None:
                right[key] = None
            elif isinstance(known, Map):
                if self.is_map(value, here, "a map of options"):
                    right[key] = self.read(known, value, here)
            else:
                self._read_value(shape, known, key, value, here, right)
        return right

    def _read_value(self, shape: Map, known: Value, key: str, value: Any, here: Path, right: Tree) -> None:
        try:
            converted = known.convert(value)
        except UnfitItems as unfit:
            for place in unfit.places:
                self.refuse((*here, place), f"must be {unfit}, got {shown(value[place])}")
            return
        except ValueError as error:
            self.refuse(here, f"must be {error}, got {shown(value)}")
            return
        complaint = complaint_of(shape, {key: converted})
        if complaint is None or len(complaint.keys) > 1:
            right[key] = converted
        else:
            self.refuse(here, f"{complaint.rule}, got {shown(value)}")


@dataclass(frozen=True, slots=True)
class Complaint:
    """What options said against their values: the keys it is about, the rule, and all of it."""

    keys: tuple[str, ...]
    rule: str
    text: str


def complaint_of(shape: Map, values: Tree) -> Complaint | None:
    """What ``shape.build`` has against ``values`` (only the plain ones of them are looked at)."""
    plain = {key: value for key, value in values.items() if isinstance(shape.keys.get(key), Value)}
    try:
        shape.build(**plain)
    except ConfigurationError as error:
        # "CircuitBreaker recovery_max must be >= recovery_timeout (30), got 10.0": the policy, the field, the rule, the value.
        text = str(error).partition(" ")[2]
        before_value = text.partition(", got ")[0]
        keys = tuple(word for word in dict.fromkeys(re.findall(r"\w+", before_value)) if word in shape.keys)
        return Complaint(keys, before_value.partition(" ")[2], text)
    return None


def contradictions(shape: Map, values: Tree) -> list[Complaint]:
    """What is wrong with ``values`` only together."""
    found: list[Complaint] = []
    rest = dict(values)
    while (complaint := complaint_of(shape, rest)) is not None:
        written = [key for key in complaint.keys if key in rest]
        if not written:
            break
        found.append(complaint)
        del rest[written[0]]
    return found
