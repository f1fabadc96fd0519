"""Operations of a service: ``POST /charge``, ``GET /accounts/{id}``, ``* /admin/**``, ``shop.v1.Payments/Charge``, ``Charge``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import unquote

RULE = "'METHOD /path/{segment}' (/** for any rest, * for any method), 'package.Service/Method' or 'Method'"

_METHOD = re.compile(r"[A-Z][A-Z0-9_-]*|\*", re.ASCII)
_SEGMENT = re.compile(r"\{[A-Za-z_]\w*\}", re.ASCII)
_GRPC = re.compile(r"(?:([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)/)?([A-Za-z_]\w*)", re.ASCII)
_REST = "**"


@dataclass(frozen=True, slots=True)
class HttpOperation:
    """``segments`` in order, ``None`` for any one; ``rest`` if any number more may follow.

    ``method`` is ``*`` for any.
    """

    text: str
    method: str
    segments: tuple[str | None, ...]
    rest: bool

    @property
    def identity(self) -> tuple[object, ...]:
        """Equal for operations that match the same requests."""
        return (self.method, self.segments, self.rest)

    @property
    def rank(self) -> tuple[object, ...]:
        """Sorts the most specific first: by path, segment by segment, a text before any one before any rest; then by method."""
        kinds = [0 if segment is not None else 1 for segment in self.segments]
        return (tuple(kinds + ([2] if self.rest else [])), self.method == "*")

    def matches(self, method: str, segments: tuple[str, ...]) -> bool:
        """Whether a request with ``method`` and the path ``segments`` is of this operation."""
        if self.method != "*" and self.method != method:
            return False
        own = len(self.segments)
        if len(segments) < own or (len(segments) > own and not self.rest):
            return False
        return all(
            bool(given) if wanted is None else wanted == given
            for wanted, given in zip(self.segments, segments, strict=False)
        )


@dataclass(frozen=True, slots=True)
class GrpcOperation:
    """A method, of one gRPC service or (``service`` is ``None``) of any."""

    text: str
    service: str | None
    method: str

    @property
    def identity(self) -> tuple[object, ...]:
        """Equal for operations that match the same calls."""
        return (self.service, self.method)


OperationKey: TypeAlias = HttpOperation | GrpcOperation


def read_operation(text: str) -> OperationKey | None:
    """One key of ``operations``; ``None`` for what is none."""
    method, space, path = text.partition(" ")
    if space:
        return _read_http(text, method, path)
    parts = _GRPC.fullmatch(text)
    return None if parts is None else GrpcOperation(text, parts[1], parts[2])


def path_segments(path: str) -> tuple[str, ...]:
    """The decoded segments of a request's path, without its query. A final slash is one more, empty segment."""
    plain = path.partition("?")[0].partition("#")[0]
    parts = plain.removeprefix("/").split("/") if plain not in ("", "/") else []
    return tuple(unquote(part) if "%" in part else part for part in parts)


class Operations:
    """Finds the operation that a call is of. Made once, read by many threads."""

    def __init__(self, keys: Iterable[OperationKey]) -> None:
        known = list(keys)
        http = [key for key in known if isinstance(key, HttpOperation)]
        self._http = tuple(sorted(http, key=lambda key: key.rank))
        self._grpc = {(key.service, key.method): key for key in known if isinstance(key, GrpcOperation)}

    def find_http(self, method: str, path: str) -> str | None:
        """The text of the most specific operation of a request."""
        if not self._http:
            return None
        segments = path_segments(path)
        upper = method.upper()
        return next((key.text for key in self._http if key.matches(upper, segments)), None)

    def find_grpc(self, service: str, method: str) -> str | None:
        """The text of the operation of a gRPC call: the one that names the service too, else the method alone."""
        found = self._grpc.get((service, method)) or self._grpc.get((None, method))
        return None if found is None else found.text

    def find(self, text: str) -> str | None:
        """The operation that ``text``, itself written as one, is of: ``GET /accounts/42`` is ``GET /accounts/{id}``."""
        method, space, path = text.partition(" ")
        if space:
            return self.find_http(method, path)
        service, _, name = text.removeprefix("/").rpartition("/")
        return self.find_grpc(service, name)


def _read_http(text: str, method: str, path: str) -> HttpOperation | None:
    if not _METHOD.fullmatch(method) or not path.startswith("/") or re.search(r"[\s?#]", path):
        return None
    parts = path.removeprefix("/").split("/") if path != "/" else []
    rest = bool(parts) and parts[-1] == _REST
    segments: list[str | None] = []
    for part in parts[:-1] if rest else parts:
        if _SEGMENT.fullmatch(part):
            segments.append(None)
        elif "{" in part or "}" in part or "*" in part:
            return None
        else:
            segments.append(unquote(part))
    return HttpOperation(text, method, tuple(segments), rest)
