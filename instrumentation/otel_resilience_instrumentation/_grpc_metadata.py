"""What goes out as metadata, and what is read from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from otel_resilience.errors import codes
from otel_resilience.errors.adopt import attach
from otel_resilience.errors.chain import ErrorChain
from otel_resilience.errors.codecs import error_info
from otel_resilience.errors.codecs.carriers import CHAIN_FIELD, CORRELATION_FIELD, get_field
from otel_resilience.errors.hop import Hop
from otel_resilience.errors.limits import cut_name
from otel_resilience_instrumentation._received import read_chain
from otel_resilience_instrumentation._settings import runtime

Pairs = tuple[tuple[str, Any], ...]


def with_fields(metadata: Pairs, fields: Mapping[str, str]) -> Pairs:
    """The user's ``metadata``, repeated keys kept, and ``fields``; an application's own correlation id goes before ours."""
    own = {key for key, _ in metadata if key == CORRELATION_FIELD}
    kept = tuple(pair for pair in metadata if pair[0] not in fields or pair[0] in own)
    return (*kept, *((name, value) for name, value in fields.items() if name not in own))


def distinct(metadata: Pairs) -> Pairs:
    """``metadata`` with keys that are the same text and yet survive as keys of one mapping.

    The official instrumentation puts metadata through a mapping, which would keep the last value of a
    repeated key only.
    """
    seen: set[str] = set()
    pairs: list[tuple[str, Any]] = []
    for key, value in metadata:
        pairs.append((_Repeated(key) if key in seen else key, value))
        seen.add(key)
    return tuple(pairs)


class _Repeated(str):
    """A key equal to nothing but itself."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)


def receive(error: Any, host: str | None) -> None:
    """Attach to a failed call, which is its error too, the chain that ``host`` sent with it. Never raises."""
    status = codes.grpc_status(error)
    if status not in codes.GRPC_FAILURES or not hasattr(error, "trailing_metadata"):
        return
    try:
        trailing: Iterable[Any] = error.trailing_metadata() or ()
    except Exception:  # somebody else's error: without metadata it has no chain
        return
    chain = read_chain(get_field(trailing, CHAIN_FIELD), host=host) or _from_error_info(
        trailing, host, str(status)
    )
    if chain is not None:
        attach(error, chain)


def _from_error_info(trailing: Iterable[Any], host: str | None, status: str) -> ErrorChain | None:
    """A peer without the plugin that says what went wrong is a root; whether to try again is still its status's word."""
    info = error_info.find(trailing)
    if info is None or not info.domain or not runtime().exchanges_with(host):
        return None
    service = cut_name(info.domain)
    return ErrorChain.of(Hop(service=service, code=info.reason, retryable=status in codes.RETRYABLE))
