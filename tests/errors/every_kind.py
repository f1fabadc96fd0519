"""A real exception for every row of the code table, and for everything that a row asks an error.

Each ``make`` is a plain function that opens no connection, needs no event loop and returns a fresh exception of the
library's own class.
"""

from __future__ import annotations

from tests.errors.kinds import databases, http_clients, python
from tests.errors.kinds.kind import Kind

KINDS: list[Kind] = [*python.KINDS, *http_clients.KINDS, *databases.KINDS]

#: By names that may stand in a URL.
EVERY_KIND: dict[str, Kind] = {kind.name: kind for kind in KINDS}
