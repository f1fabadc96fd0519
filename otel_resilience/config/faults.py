"""What is wrong with a policy file: where, and by which rule. All of it at once."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from otel_resilience.exceptions import ConfigurationError

#: Where something stands in a file: keys, and places in lists.
Path = tuple[str | int, ...]

_BARE = re.compile(r"[A-Za-z0-9_-]+|\*")
#: A value is shown up to this many characters: a fault is one line that people read.
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong.

    ``path`` is empty where the whole file is meant, ``line`` is ``None`` where it is not known.
    """

    path: str
    line: int | None
    reason: str

    def __str__(self) -> str:
        """``line 7: services.a.retry.max_attempts: must be …``, without the parts that are not known."""
        line = None if self.line is None else f"line {self.line}"
        return ": ".join(part for part in (line, self.path, self.reason) if part)


class PolicyFileError(ConfigurationError):
    """A policy file that cannot be used: missing, unreadable or with faults in it.

    ``.path`` is the file, ``.faults`` what is wrong with it. As text it is one line: the file, then each fault.
    """

    def __init__(self, path: str, faults: Iterable[Fault]) -> None:
        self.path = path
        self.faults = tuple(faults)
        super().__init__(f"{path}: {'; '.join(map(str, self.faults))}")


def written(path: Path) -> str:
    """``path`` as people write it: ``services.a.operations."POST /charge".match[1]``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            key = part if _BARE.fullmatch(part) else json.dumps(part, ensure_ascii=not part.isprintable())
            text += f".{key}" if text else key
    return text


def shown(value: Any) -> str:
    """``value`` on one line, as a file's reader knows it, cut where it is long."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a map"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    try:
        text = repr(value)
    except ValueError:  # a whole number of more digits than Python turns into text
        return "a number with thousands of digits"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of a sentence about a name that is not known: the nearest ones, else all of them."""
    import difflib  # only a faulty file needs it

    choices = sorted(known)
    near = difflib.get_close_matches(name, choices, n=2)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"known are {', '.join(choices)}" if choices else "none is known here"
