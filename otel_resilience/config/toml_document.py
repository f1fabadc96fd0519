"""TOML as plain values; only a syntax error has a line there."""

from __future__ import annotations

import re
import tomllib

from otel_resilience.config.document import Document
from otel_resilience.config.faults import Fault

_AT = re.compile(r"\s*\(at (?:line (\d+), column (\d+)|end of document)\)\Z")


def read_toml(text: str) -> Document:
    """``text`` as values. Never raises for what is wrong with it: that is among the faults."""
    try:
        return Document(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        said = str(error)
        at = _AT.search(said)
        line = None
        if at is not None:
            line = int(at[1]) if at[1] else text.count("\n") + 1
            said = said[: at.start()]
        return Document(None, faults=(Fault("", line, f"is not TOML: {' '.join(said.split())}"),))
    except RecursionError:
        return Document(None, faults=(Fault("", None, "is nested too deeply"),))
    except ValueError as error:  # a number of more digits than Python reads
        return Document(None, faults=(Fault("", None, f"is not TOML: {' '.join(str(error).split())}"),))
