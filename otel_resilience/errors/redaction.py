"""The user's last word on what of a hop may be seen: asked before a chain is sent, and before it is recorded."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from otel_resilience.errors.chain import ErrorChain
from otel_resilience.errors.hop import Hop
from otel_resilience.exceptions import ConfigurationError

Redact: TypeAlias = Callable[[Hop], Hop | None]

_log = logging.getLogger("otel_resilience")
_redact: Redact | None = None


def use_redactor(redact: Redact | None) -> Redact | None:
    """Let ``redact(hop)`` see every hop before it is sent to a peer, or shown on spans, metrics and events.

    It answers with the hop, with one that says less (``dataclasses.replace``), or with ``None``: the hop is left out,
    and counted as omitted; what it decides on retries is said by the first that is kept. One that raises lets nothing
    of that chain be seen. It is called for each hop of each chain, in whatever thread, and must not block. ``None``
    takes the hook away. Answers with the one before.

    Raises ``ConfigurationError`` for what cannot be called.
    """
    if redact is not None and not callable(redact):
        raise ConfigurationError(f"redact must be a function of one hop, got {redact!r}")
    global _redact
    before, _redact = _redact, redact
    return before


def shown_code(hop: Hop) -> str | None:
    """The code of ``hop`` as it may be seen; ``None`` where it may not. Never raises."""
    seen = redacted(ErrorChain.of(hop))
    return None if seen is None else seen.root_cause_code


def redacted(chain: ErrorChain) -> ErrorChain | None:
    """``chain`` as it may be seen; ``None`` where nothing of it may. Never raises."""
    redact = _redact
    if redact is None:
        return chain
    try:
        shown = tuple(map(redact, chain.hops))
        kept = tuple(hop for hop in shown if hop is not None)
        if not all(isinstance(hop, Hop) for hop in kept):
            raise TypeError("redact(hop) answers with a Hop or None")
        if not kept or len(kept) == len(shown):
            return ErrorChain(kept, chain.omitted) if kept else None
        return _standing_in(ErrorChain(kept, chain.omitted + len(shown) - len(kept)), chain, shown)
    except Exception:
        # What was to be hidden must not be seen because the hiding failed.
        _log.exception("redact(hop) failed; the chain is withheld")
        return None


def _standing_in(seen: ErrorChain, whole: ErrorChain, shown: tuple[Hop | None, ...]) -> ErrorChain:
    """``seen``, whose first hop says what those that were left out decide: hidden ones must not make retries multiply."""
    left_out = [hop for hop, left in zip(whole.hops, shown, strict=True) if left is None]
    first = replace(
        seen.root,
        retryable=whole.retryable if shown[0] is None else seen.retryable,
        exhausted=seen.root.exhausted or any(hop.exhausted for hop in left_out),
    )
    return replace(seen, hops=(first, *seen.hops[1:]))
