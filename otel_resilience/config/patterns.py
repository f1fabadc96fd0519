"""What a service is recognised by: hosts, addresses, domains, gRPC services. Names are compared, never resolved."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

RULE = "host, host:port, *.domain or grpc:package.Service"

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.ASCII)
_GRPC_SERVICE = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*", re.ASCII)
_PORT = re.compile(r"[1-9][0-9]{0,4}", re.ASCII)


class Kind(StrEnum):
    """From the most specific to the least, within HTTP."""

    GRPC = "grpc"
    ADDRESS = "address"
    HOST = "host"
    DOMAIN = "domain"


class HostPort(NamedTuple):
    """A host as it is compared, and a port where one is known."""

    host: str
    port: int | None = None

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Pattern:
    """``name`` is the host, the domain without ``*.``, or the gRPC service; ``port`` belongs to an address."""

    kind: Kind
    name: str
    port: int | None = None

    def __str__(self) -> str:
        if self.kind is Kind.GRPC:
            return f"grpc:{self.name}"
        return f"*.{self.name}" if self.kind is Kind.DOMAIN else str(HostPort(self.name, self.port))


def normal_host(host: str) -> str:
    """``host`` as it is compared: lower case, ASCII, without brackets and final dot, addresses in their short form."""
    text = host.strip("[]").rstrip(".").lower()
    if not text.isascii():
        try:
            text = text.encode("idna").decode("ascii")
        except UnicodeError:
            return text
    if ":" in text:
        try:
            return ipaddress.ip_address(text).compressed
        except ValueError:
            return text
    return text


def read_host_port(text: str) -> HostPort | None:
    """``host``, ``host:port``, ``[v6]:port`` or a bare v6 address; ``None`` for anything else."""
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or not _is_v6(host) or (rest and not rest.startswith(":")):
            return None
        port = rest[1:] if rest else None
    elif _is_v6(text):
        host, port = text, None
    else:
        host, colon, after = text.partition(":")
        port = after if colon else None
        if not _is_host(host):
            return None
    if port is None:
        return HostPort(normal_host(host))
    if not _PORT.fullmatch(port) or int(port) > 65535:
        return None
    return HostPort(normal_host(host), int(port))


def read_pattern(text: str) -> Pattern | None:
    """One entry of ``match``; ``None`` for what is none."""
    if text.startswith("grpc:"):
        name = text.removeprefix("grpc:")
        return Pattern(Kind.GRPC, name) if _GRPC_SERVICE.fullmatch(name) else None
    if text.startswith("*."):
        domain = text.removeprefix("*.")
        return Pattern(Kind.DOMAIN, normal_host(domain)) if _is_host(domain) else None
    host = read_host_port(text)
    if host is None:
        return None
    return Pattern(Kind.HOST if host.port is None else Kind.ADDRESS, host.host, host.port)


def _is_host(text: str) -> bool:
    return 0 < len(text) <= 253 and _HOST.fullmatch(normal_host(text)) is not None


def _is_v6(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).version == 6
    except ValueError:
        return False


#: gRPC's own: what a target without a port means.
_GRPC_PORT = 443
_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*", re.ASCII)
_OPAQUE = frozenset({"dns", "ipv4", "ipv6", "unix", "unix-abstract", "vsock", "xds"})


def grpc_target(target: str) -> HostPort | None:
    """The host and port that a gRPC target names (``dns:///payments:50051``); ``None`` where it names no host (``unix:…``)."""
    scheme, text = _without_scheme(target)
    if scheme in ("unix", "unix-abstract", "vsock"):
        return None
    first = text.split(",")[0]  # ipv4: and ipv6: may list several addresses of one service
    found = read_host_port(first)
    if found is not None and found.port is None and scheme != "xds":
        return HostPort(found.host, _GRPC_PORT)
    return found


def _without_scheme(target: str) -> tuple[str, str]:
    scheme, colon, rest = target.partition(":")
    if not colon or not _SCHEME.fullmatch(scheme):
        return "", target
    if rest.startswith("//"):
        return scheme.lower(), rest[2:].partition("/")[2]
    if scheme.lower() in _OPAQUE:
        return scheme.lower(), rest
    return "", target
