"""Names as they stand in a chain: a process meets few, the services around it, and writes each in every chain."""

from __future__ import annotations

from otel_resilience.errors.codecs import structured_text
from otel_resilience.errors.limits import MAX_NAME, cut_name

_MOST = 256


class WrittenNames(dict[str, str]):
    """By a name its text: a String or Display String, cut at 64 bytes. Safe for threads.

    A name says all of its text, so whoever sends names can change no other's. They can only be too many: then all are
    forgotten, which costs a microsecond for each that comes again. A long one, whoever made it, is not remembered.
    """

    def __missing__(self, name: str) -> str:
        text = structured_text.text(cut_name(name))
        if len(name) <= MAX_NAME:
            if len(self) >= _MOST:
                self.clear()
            self[name] = text
        return text
