"""Hostile texts: sentences of a grammar, real ones changed, pieces in any order, characters by chance, and bombs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from tests.fuzz.bombs import Bombs

_SIGNS = '"\\;,=:?@%()[]{}*<>-_./+~ \t\r\n\x00\x1f\x7f09azAZfF'
_FOREIGN = "é\xa0\xad\u0130\u0660\u200b\u2028\ufeff\ud800\U0001f34e\U0010ffff"
_RULE = re.compile(r"(<\w+>)")


class Grammar:
    """Sentences by chance. Each rule has its ways, in which ``<rule>`` stands for a sentence of that rule; ``<start>`` is the whole."""

    def __init__(self, rules: Mapping[str, Sequence[str]]) -> None:
        self._rules = {f"<{name}>": [_RULE.split(way) for way in ways] for name, ways in rules.items()}

    def sentence(self, chance: Random) -> str:
        """One sentence."""
        parts: list[str] = []
        waiting = ["<start>"]
        while waiting:
            part = waiting.pop()
            ways = self._rules.get(part)
            if ways is None:
                parts.append(part)
            else:
                waiting += reversed(ways[int(chance.random() * len(ways))])
        return "".join(parts)


@dataclass(frozen=True, slots=True)
class Shapes:
    """What inputs of one kind are made of.

    ``grammar`` makes mostly right ones; ``pieces`` are to be put together in any order; ``bombs`` go up to ``largest``.
    """

    grammar: Grammar
    pieces: Sequence[str]
    bombs: Bombs
    largest: int


def draw(chance: Random, shapes: Shapes) -> str:
    """One hostile text."""
    return _WAYS[int(chance.random() * len(_WAYS))](chance, shapes)


def _right(chance: Random, shapes: Shapes) -> str:
    return shapes.grammar.sentence(chance)


def _changed(chance: Random, shapes: Shapes) -> str:
    text = shapes.grammar.sentence(chance)
    for _ in range(1 if chance.random() < 0.5 else chance.randint(2, 5)):
        at = int(chance.random() * (len(text) + 1))
        text = (
            text[:at] + chance.choice(_CHANGES)(chance, shapes, text) + text[at + int(chance.random() * 3) :]
        )
    return text


_CHANGES: Sequence[Callable[[Random, Shapes, str], str]] = (
    lambda chance, shapes, text: "",
    lambda chance, shapes, text: chance.choice(_SIGNS),
    lambda chance, shapes, text: chance.choice(_FOREIGN),
    lambda chance, shapes, text: chance.choice(shapes.pieces),
    lambda chance, shapes, text: text[int(chance.random() * len(text)) :][:40],
    lambda chance, shapes, text: chance.choice(_SIGNS) * int(2 ** (chance.random() * 11)),
)


def _assembled(chance: Random, shapes: Shapes) -> str:
    return "".join(chance.choices(shapes.pieces, k=int(chance.random() * 12) + 1))


def _random(chance: Random, shapes: Shapes) -> str:
    alphabet = _SIGNS if chance.random() < 0.8 else _SIGNS + _FOREIGN
    return "".join(chance.choices(alphabet, k=int(2 ** (chance.random() * 9))))


def _bomb(chance: Random, shapes: Shapes) -> str:
    size = 16 * (shapes.largest / 16) ** chance.random()
    text = chance.choice(list(shapes.bombs.values()))(int(size))
    if chance.random() < 0.5:  # broken somewhere
        at = int(chance.random() * (len(text) + 1))
        text = text[:at] + chance.choice(_SIGNS) + text[at:]
    return text


# Most faults lie near what is right.
_WAYS = (*(_right,) * 5, *(_changed,) * 9, *(_assembled,) * 3, *(_random,) * 2, _bomb)
