"""How much of a story fits on the wire."""

from __future__ import annotations

#: Hops that a chain holds: the root and the last of the others.
MAX_HOPS = 8
#: Bytes of a service's name, in UTF-8.
MAX_NAME = 64
#: Bytes that an encoded chain aims at: above it, operations and versions are left out.
AIM = 1024
#: Bytes that an encoded chain, or any field of ours, never exceeds; a longer one is not read.
HARD = 2048
#: Hops left out that a chain counts; more are said to be as many.
MOST_OMITTED = 10**6
#: Milliseconds of a deadline, 31 years: sockets and locks refuse to wait much longer, and nobody does.
LONGEST_DEADLINE = 10**12


def cut_name(name: str) -> str:
    """``name`` as it may go over a wire: printable, at most 64 bytes of UTF-8, cut between characters."""
    printable = "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in name)
    return printable.encode(errors="replace")[:MAX_NAME].decode(errors="ignore")
