"""Structured Field Values for HTTP (RFC 9651): a strict parser, whole, in time linear in the input.

It never recurses on its input and raises ``StructuredFieldError`` only. A bare item is an ``int``,
``Decimal``, ``str`` (String), ``Token``, ``bytes`` (Byte Sequence), ``bool``, ``Date`` or ``DisplayString``.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TypeAlias


class StructuredFieldError(ValueError):
    """The text is no structured field; the message says at which character."""


class Token(str):
    """A Token: written without quotes."""

    __slots__ = ()


class DisplayString(str):
    """Text that may hold any Unicode; percent-encoded on the wire."""

    __slots__ = ()


class Date(int):
    """Seconds since 1970, of either sign."""

    __slots__ = ()


BareItem: TypeAlias = int | Decimal | str | bytes | bool
Parameters: TypeAlias = dict[str, BareItem]


@dataclass(frozen=True, slots=True)
class Item:
    """A bare item with its parameters, in order."""

    value: BareItem
    parameters: Parameters = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class InnerList:
    """Items in parentheses, with the parameters of the whole."""

    items: tuple[Item, ...]
    parameters: Parameters = field(default_factory=dict)


Member: TypeAlias = Item | InnerList

_KEY = re.compile(r"[a-z*][a-z0-9_\-.*]*")
_NUMBER = re.compile(r"(-?)(\d+)(?:(\.)(\d*))?", re.ASCII)
_TOKEN = re.compile(r"[A-Za-z*][A-Za-z0-9!#$%&'*+\-.^_`|~:/]*")
_BASE64 = re.compile(r":((?:[A-Za-z0-9+/]+={0,2})?):")
_STRING = re.compile(r'"((?:[\x20\x21\x23-\x5b\x5d-\x7e]++|\\["\\])*+)"')
_DISPLAY = re.compile(r'%"((?:[\x20\x21\x23\x24\x26-\x7e]++|%[0-9a-f]{2})*+)"')
_ESCAPE = re.compile(r"\\(.)")
_PERCENT = re.compile(rb"%([0-9a-f]{2})")


def parse_list(text: str) -> list[Member]:
    """A List. Raises ``StructuredFieldError``."""
    return _Parser(text).list()


def parse_dictionary(text: str) -> dict[str, Member]:
    """A Dictionary; of a repeated key the last value counts. Raises ``StructuredFieldError``."""
    return _Parser(text).dictionary()


def parse_item(text: str) -> Item:
    """An Item. Raises ``StructuredFieldError``."""
    return _Parser(text).whole_item()


class _Parser:
    """One pass over one text (RFC 9651 section 4.2); methods are named for what they read."""

    def __init__(self, text: str) -> None:
        if not text.isascii():
            raise StructuredFieldError("a structured field is ASCII")
        self._text = text.strip(" ")
        self._at = 0

    def list(self) -> list[Member]:
        members: list[Member] = []
        while self._more():
            members.append(self._member())
            self._comma()
        return members

    def dictionary(self) -> dict[str, Member]:
        members: dict[str, Member] = {}
        while self._more():
            key = self._key()
            members[key] = self._member() if self._skip("=") else Item(True, self._parameters())
            self._comma()
        return members

    def whole_item(self) -> Item:
        item = self._item()
        if self._more():
            raise self._wrong("the end")
        return item

    def _more(self) -> bool:
        return self._at < len(self._text)

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _skip(self, sign: str) -> bool:
        if not self._text.startswith(sign, self._at):
            return False
        self._at += len(sign)
        return True

    def _spaces(self, kinds: str) -> None:
        while self._more() and self._text[self._at] in kinds:
            self._at += 1

    def _comma(self) -> None:
        """Between two members; what follows must be another one."""
        self._spaces(" \t")
        if not self._more():
            return
        if not self._skip(","):
            raise self._wrong("a comma")
        self._spaces(" \t")
        if not self._more():
            raise self._wrong("a member after the comma")

    def _member(self) -> Member:
        return self._inner_list() if self._peek() == "(" else self._item()

    def _inner_list(self) -> InnerList:
        self._at += 1
        items: list[Item] = []
        while True:
            self._spaces(" ")
            if self._skip(")"):
                return InnerList(tuple(items), self._parameters())
            items.append(self._item())
            if self._peek() not in (" ", ")"):
                raise self._wrong("a space or a closing parenthesis")

    def _item(self) -> Item:
        return Item(self._bare_item(), self._parameters())

    def _parameters(self) -> Parameters:
        parameters: Parameters = {}
        while self._skip(";"):
            self._spaces(" ")
            key = self._key()
            parameters[key] = self._bare_item() if self._skip("=") else True
        return parameters

    def _key(self) -> str:
        return self._match(_KEY, "a key").group()

    def _bare_item(self) -> BareItem:
        sign = self._peek()
        if sign.isdigit() or sign == "-":
            return self._number()
        reader = _READERS.get(sign)
        if reader is not None:
            return reader(self)
        return Token(self._match(_TOKEN, "an item").group())

    def _number(self) -> int | Decimal:
        match = self._match(_NUMBER, "a number")
        whole, dot, fraction = match.group(2), match.group(3), match.group(4)
        if dot is None:
            if len(whole) > 15:
                raise self._wrong("an integer of at most 15 digits")
            return int(match.group())
        if len(whole) > 12 or not 1 <= len(fraction) <= 3:
            raise self._wrong("a decimal of at most 12 digits before and 1 to 3 behind the dot")
        return Decimal(match.group())

    def _string(self) -> str:
        return _ESCAPE.sub(r"\1", self._match(_STRING, "a string").group(1))

    def _bytes(self) -> bytes:
        encoded = self._match(_BASE64, "a byte sequence").group(1).rstrip("=")
        try:
            return base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
        except binascii.Error:
            raise self._wrong("base64") from None

    def _boolean(self) -> bool:
        if self._skip("?1"):
            return True
        if self._skip("?0"):
            return False
        raise self._wrong("?0 or ?1")

    def _date(self) -> Date:
        self._at += 1
        seconds = self._number()
        if isinstance(seconds, Decimal):
            raise self._wrong("a date of whole seconds")
        return Date(seconds)

    def _display_string(self) -> DisplayString:
        encoded = self._match(_DISPLAY, "a display string").group(1).encode("ascii")
        try:
            return DisplayString(
                _PERCENT.sub(lambda match: bytes([int(match.group(1), 16)]), encoded).decode()
            )
        except UnicodeDecodeError:
            raise self._wrong("UTF-8 in a display string") from None

    def _match(self, pattern: re.Pattern[str], expected: str) -> re.Match[str]:
        match = pattern.match(self._text, self._at)
        if match is None:
            raise self._wrong(expected)
        self._at = match.end()
        return match

    def _wrong(self, expected: str) -> StructuredFieldError:
        return StructuredFieldError(f"expected {expected} at character {self._at}")


_READERS: dict[str, Callable[[_Parser], BareItem]] = {
    '"': _Parser._string,
    ":": _Parser._bytes,
    "?": _Parser._boolean,
    "@": _Parser._date,
    "%": _Parser._display_string,
}
