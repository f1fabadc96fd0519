"""Inputs of any size that are one shape over and over: deep, long, quoted, escaped, unterminated.

Each is made to be the worst for one production or one pattern: what a parser must look at twice, it looks at here as
often as there are characters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

Bombs = Mapping[str, Callable[[int], str]]


def _filled(before: str, unit: str, after: str = "") -> Callable[[int], str]:
    """``unit`` between ``before`` and ``after``, as often as the size allows."""
    return lambda size: before + unit * max(1, (size - len(before) - len(after)) // len(unit)) + after


def _numbered(before: str, unit: str, after: str = "") -> Callable[[int], str]:
    """As ``_filled``, with a ``#`` in ``unit`` a number of its own each time."""
    longest = len(unit) + 5
    return lambda size: (
        before + "".join(unit.replace("#", str(number)) for number in range(size // longest)) + after
    )


#: Structured fields: each production, whole and broken at its end.
FIELDS: Bombs = {
    "string": _filled('"', "a", '"'),
    "string, unterminated": _filled('"', "a"),
    "string of escapes": _filled('"', '\\"', '"'),
    "string of escapes, unterminated": _filled('"', "\\\\"),
    "string that ends in an escape": _filled('"', "a", "\\"),
    "string with a wrong escape at its end": _filled('"', "\\\\", '\\a"'),
    "strings": _filled("", '"a",', '"a"'),
    "display string": _filled('%"', "a", '"'),
    "display string of escapes": _filled('%"', "%c3%bc", '"'),
    "display string, unterminated": _filled('%"', "%c3%bc"),
    "display string cut in a character": _filled('%"', "%c3%bc", '%c3"'),
    "display string with a wrong escape at its end": _filled('%"', "%c3%bc", '%C3"'),
    "bytes": _filled(":", "QUJD", ":"),
    "bytes, unterminated": _filled(":", "A"),
    "bytes of padding": _filled(":", "=", ":"),
    "bytes padded too often": _filled(":", "A", "===:"),
    "integer": _filled("", "1"),
    "integers": _filled("", "-1,", "1"),
    "decimal": _filled("1.", "1"),
    "decimal without end": _filled("", "1", "."),
    "minus": _filled("", "-"),
    "dots": _filled("1", "."),
    "dates": _filled("", "@1,", "@1"),
    "token": _filled("", "a"),
    "token with a wrong end": _filled("", "a", "\x00"),
    "tokens": _filled("", "a,", "a"),
    "booleans": _filled("", "?1,", "?0"),
    "parameters of one name": _filled("a", ";a=1"),
    "parameters of many names": _numbered("a", ";a#=1"),
    "parameters without value": _numbered("a", ";a#"),
    "parameters with spaces": _filled("a;", " ", "a"),
    "parameters without name": _filled("a", ";"),
    "parameter with a long name": _filled("a;", "a"),
    "inner list": _filled("(", "a ", ")"),
    "inner list, unterminated": _filled("(", "a "),
    "inner list of spaces": _filled("(", " "),
    "inner list with parameters": _numbered("()", ";a#=1"),
    "inner list of strings": _filled("(", '"a" ', ")"),
    "inner lists": _filled("", "(),", "()"),
    "inner lists in one another": _filled("", "("),
    "keys of one name": _filled("", "a=1,", "a"),
    "keys of many names": _numbered("", "a#=1,", "z"),
    "keys without value": _numbered("", "a#,", "z"),
    "key": _filled("", "a", "=1"),
    "key of signs": _filled("*", "-_.*", "=1"),
    "spaces before": _filled("", " ", "a"),
    "spaces behind": _filled("a", " "),
    "spaces at a comma": _filled("a", " ", ",a"),
    "tabs at a comma": _filled("a,", "\t"),
    "commas": _filled("", ","),
    "not ascii": _filled("", "é"),
    "not ascii at the end": _filled('"', "a", "é"),
}

#: Chains: what the pattern of our own form begins to like, and all that it takes back.
CHAINS: Bombs = {
    "hops": _filled("", '"s";c=C, ', '"s";c=C'),
    "hops and a comma": _filled("", '"s";c=C, '),
    "hops, the last one wrong": _filled("", '"s";c=C, ', '"s";c=c'),
    "hops with all that one can say": _filled(
        "", f'"s";c=C;s="{"1" * 16}";r;e;o="x";v="1";k=remote, ', '"s"'
    ),
    "a long name": _filled('"', "s", '";c=C'),
    "a long name, unterminated": _filled('"', "s"),
    "a name of escapes": _filled('"', "\\\\", '";c=C'),
    "a name of characters": _filled('%"', "%f0%9f%8d%8e", '";c=C'),
    "a long code": _filled('"s";c=', "C"),
    "a long id": _filled('"s";c=C;t="', "0", '"'),
    "a long operation": _filled('"s";c=C;o="', "x", '"'),
    "a flag many times": _filled('"s";c=C', ";r"),
    "a count many times": _filled('"s";c=C', ";n=1"),
    "unknown parameters": _numbered('"s";c=C', ";x#=1"),
    "an unknown parameter": _filled('"s";c=C;x="', "y", '"'),
    "an unknown inner list": _filled('"s";c=C;x=(', "y ", ")"),
    "a large count": _filled('"s";c=C;n=', "1"),
}

#: ``Forwarded`` and ``X-Forwarded-For``, hosts and addresses of sockets.
FORWARDED: Bombs = {
    "addresses": _filled("", "10.0.0.1,", "10.0.0.1"),
    "short addresses": _filled("", "::1,", "::1"),
    "addresses without end": _filled("", "10.0.0.1,"),
    "empty entries": _filled("", ","),
    "one long entry": _filled("", "1"),
    "one long name": _filled("", "a"),
    "labels": _filled("", "a.", "a"),
    "hyphens": _filled("a", "-"),
    "labels of hyphens": _filled("", "a-.", "!"),
    "colons": _filled("", ":"),
    "brackets": _filled("", "["),
    "an address in brackets": _filled("[", "1:", "]"),
    "a port": _filled("a:", "1"),
    "a port with a wrong end": _filled("a:", "1", "x"),
    "users": _filled("", "a@"),
    "percents": _filled("ipv6:", "%5B"),
    "pairs": _filled("", "for=10.0.0.1,", "for=10.0.0.1"),
    "parts of one pair": _filled("for=10.0.0.1", ";by=x"),
    "quoted pairs": _filled("", 'for="[::1]",', "for=x"),
    "a quoted value": _filled('for="', "a", '"'),
    "a quoted value, unterminated": _filled('for="', "a"),
    "a quoted value of escapes": _filled('for="', "\\a", '"'),
    "a quoted value of escapes, unterminated": _filled('for="', "\\\\"),
    "a name without value": _filled("", "a"),
    "spaces": _filled("for=10.0.0.1", " ", "x"),
    "spaces before": _filled("", " ", "for"),
    "equals signs": _filled("for", "="),
    "zeros": _filled("::", "0"),
}

#: ``Retry-After``: seconds, or a date as mail has them.
RETRY_AFTER: Bombs = {
    "digits": _filled("", "9"),
    "zeros": _filled("", "0", "1"),
    "spaces": _filled("", " ", "1"),
    "words": _filled("", "Tue "),
    "a date and words": _filled("Tue, 14 Nov 2023 22:13:30 GMT", " x"),
    "a date of digits": _filled("Tue, 14 Nov ", "2", " 22:13:30 GMT"),
    "a zone of digits": _filled("Tue, 14 Nov 2023 22:13:30 +", "0"),
    "colons": _filled("Tue, 14 Nov 2023 22", ":13"),
    "commas": _filled("", ","),
    "hyphens": _filled("14-Nov-2023", "-1"),
    "plus signs": _filled("14 Nov 2023 22:13:30 ", "+"),
    "comments": _filled("", "("),
}

#: ``baggage``: the correlation id in it, between others.
BAGGAGE: Bombs = {
    "entries": _numbered("", "k#=v,", "correlation.id=a"),
    "entries without value": _filled("correlation.id", ","),
    "a long value": _filled("correlation.id=", "a"),
    "escapes": _filled("correlation.id=", "%41"),
    "broken escapes": _filled("correlation.id=", "%"),
    "properties": _filled("correlation.id=a", ";p=1"),
    "equals signs": _filled("correlation.id", "="),
    "spaces": _filled("correlation.id=a", " ", "x"),
    "one key": _filled("", "correlation.id=a,", "x=y"),
}

#: problem+json.
PROBLEMS: Bombs = {
    "arrays in one another": _filled("", "["),
    "objects in one another": _filled("", '{"a":'),
    "arrays in one another, whole": lambda size: "[" * (size // 2) + "]" * (size // 2),
    "numbers": _filled("[", "1,", "1]"),
    "one number": _filled("", "9"),
    "one fraction": _filled("0.", "9"),
    "an exponent": _filled("1e", "9"),
    "a string": _filled('"', "a", '"'),
    "a string of escapes": _filled('"', "\\u0041", '"'),
    "a string, unterminated": _filled('"', "\\\\"),
    "half a pair": _filled('"', "\\ud800", '"'),
    "members": _numbered("{", '"a#":1,', '"code":"OUT_OF_STOCK"}'),
    "one member many times": _filled("{", '"code":"C",', '"code":"C"}'),
    "a long code": _filled('{"code":"', "C", '"}'),
    "spaces": _filled("", " ", '{"code":"C"}'),
    "spaces behind": _filled('{"code":"C"}', " "),
}

#: ``google.rpc.Status``, each byte as the character of that number.
STATUSES: Bombs = {
    "details": _filled("", "\x1a\x00"),
    "details with a type": _filled("", "\x1a\x2a\x0a\x28type.googleapis.com/google.rpc.ErrorInfo"),
    "details of details": _filled("", "\x1a\x0c\x0a\x00\x0a\x00\x0a\x00\x0a\x00\x0a\x00\x0a\x00"),
    "numbers": _filled("", "\x08\x01"),
    "long numbers": _filled("", "\x08" + "\xff" * 8 + "\x01"),
    "a number without end": _filled("\x08", "\xff"),
    "keys": _filled("", "\xff"),
    "words": _filled("", "\x0d\x00\x00\x00\x00"),
    "a length that is too long": _filled("", "\x0a\x00", "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f"),
    "wrong types": _filled("", "\x0b"),
    "zeros": _filled("", "\x00"),
}
