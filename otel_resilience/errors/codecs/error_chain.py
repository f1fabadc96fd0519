"""``error-chain``: a chain as a structured field (a List of Strings with parameters), the same text on every transport.

    "ledger";c=DB_UNAVAILABLE;t="<32 hex>";s="<16 hex>";r, "payments";c=HTTP_503;s="<16 hex>"

Root first. ``c`` code, ``t`` trace id (on the root), ``s`` span id, ``r`` retryable, ``e`` retries exhausted,
``o`` operation, ``v`` version, ``k`` kind where it is not ``local``, ``n`` hops omitted (on the root).
Parameters that we do not know are kept with their hop and sent on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from otel_resilience.errors.chain import ErrorChain
from otel_resilience.errors.codecs import canonical_chain, chain_members, structured_text
from otel_resilience.errors.codecs.field_error import check_size
from otel_resilience.errors.codecs.structured_field import StructuredFieldError
from otel_resilience.errors.codecs.written_names import WrittenNames
from otel_resilience.errors.hop import Hop, HopKind
from otel_resilience.errors.limits import AIM, HARD, MOST_OMITTED

_NAMELESS = "unknown_service"  # as the semantic conventions of OpenTelemetry have it
_LOCAL = HopKind.LOCAL
_names = WrittenNames()


def encode(chain: ErrorChain) -> str:
    """``chain`` as text, at most 2 KiB.

    Above 1 KiB operations, then versions are left out; above 2 KiB unknown parameters, then the hops after the
    root, oldest first, which are counted as omitted.
    """
    text = _write(chain)
    return text if len(text) <= AIM else _shortened(chain)


def decode(text: str) -> ErrorChain:
    """The chain in ``text``.

    Raises ``FieldError`` for everything else, before parsing where it is longer than 2 KiB.
    """
    check_size(text, HARD)
    return canonical_chain.read(text) or chain_members.read(text)


def _write(chain: ErrorChain) -> str:
    # In one piece, without a function or a mapping for a hop's parts, each of which would cost as much as it writes.
    texts: list[str] = []
    trace_id, omitted = chain.hops[0].trace_id, chain.omitted  # told once, on the root
    for hop in chain.hops:
        text = f"{_names[hop.service or _NAMELESS]};c={hop.code}"
        if trace_id is not None:
            text = f'{text};t="{trace_id}"'
        if hop.span_id is not None:
            text = f'{text};s="{hop.span_id}"'
        if hop.retryable:
            text += ";r"
        if hop.exhausted:
            text += ";e"
        if hop.operation is not None:
            text = f"{text};o={_names[hop.operation]}"
        if hop.version is not None:
            text = f"{text};v={_names[hop.version]}"
        if hop.kind is not _LOCAL:
            text = f"{text};k={hop.kind}"
        if omitted:
            text = f"{text};n={min(omitted, MOST_OMITTED)}"
        if hop.unknown:
            text += _unknown(hop)
        texts.append(text)
        trace_id, omitted = None, 0
    return ", ".join(texts)


def _unknown(hop: Hop) -> str:
    try:
        return structured_text.parameters(
            {key: value for key, value in hop.unknown if key not in chain_members.KNOWN}
        )
    except StructuredFieldError:
        # What was received can be written again; these were put together by hand, and the story is worth more than they are.
        return ""


def _shortened(chain: ErrorChain) -> str:
    for without in (_without_operations, _without_versions):
        chain = without(chain)
        text = _write(chain)
        if len(text) <= AIM:
            return text
    if len(text) > HARD:
        chain = _each(chain, lambda hop: replace(hop, unknown=()))
        text = _write(chain)
    while len(text) > HARD and len(chain.hops) > 1:
        chain = ErrorChain((chain.root, *chain.hops[2:]), chain.omitted + 1)
        text = _write(chain)
    return text


def _each(chain: ErrorChain, change: Callable[[Hop], Hop]) -> ErrorChain:
    return ErrorChain(tuple(change(hop) for hop in chain.hops), chain.omitted)


def _without_operations(chain: ErrorChain) -> ErrorChain:
    return _each(chain, lambda hop: replace(hop, operation=None))


def _without_versions(chain: ErrorChain) -> ErrorChain:
    return _each(chain, lambda hop: replace(hop, version=None))
