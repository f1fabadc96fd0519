"""Who is inside: judged by what is written in a URL, a target or a socket's address, never by resolving a name.

Inside are loopback and private addresses, single-label hosts, ``*.svc *.cluster.local *.internal *.local``,
and what the policy file or ``OTEL_RESILIENCE_INTERNAL_HOSTS`` names. A name of digits or ``0x…`` is an
address in other clothes (``http://2130706433/``), and outside.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from urllib.parse import unquote

from otel_resilience.exceptions import ConfigurationError

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_DEFAULT_NETWORKS = tuple(
    ipaddress.ip_network(network)
    for network in ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7")
)
_DEFAULT_SUFFIXES = (".svc", ".cluster.local", ".internal", ".local")

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_NUMERIC_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*")
_PORT = re.compile(r":[0-9]*\Z")
_RESOLVED_BY_GRPC = ("dns", "ipv4", "ipv6", "xds")
_LONGEST_FORWARDED = 2048
_FORWARDED_PAIR = re.compile(r'\s*([A-Za-z0-9!#$%&\'*+.^_`|~-]+)=("(?:[^"\\]|\\.)*"|[^\s",;]+)\s*')


class Boundary:
    """Which hosts and peers are inside. Immutable, safe from any thread.

    ``extra`` is the text of ``OTEL_RESILIENCE_INTERNAL_HOSTS``: hosts, ``*.domain`` and CIDR networks, with
    commas between them, added to the defaults; a leading ``none,`` drops these. ``named`` are hosts written
    in full in the policy file. Raises ``ConfigurationError`` for an entry of ``extra`` that is none of these.
    """

    def __init__(self, extra: str = "", named: Iterable[str] = ()) -> None:
        entries = [entry.strip().lower() for entry in extra.split(",") if entry.strip()]
        only = bool(entries) and entries[0] == "none"
        hosts: set[str] = set()
        networks: list[_Network] = [] if only else list(_DEFAULT_NETWORKS)
        suffixes: list[str] = [] if only else list(_DEFAULT_SUFFIXES)
        for entry in entries[1:] if only else entries:
            _add(entry, hosts, networks, suffixes)
        for name in named:
            host = host_of(name)
            address = None if host is None else _address(host)
            if address is not None:
                networks.append(ipaddress.ip_network(address))
            elif host is not None:
                hosts.add(host)
        self._hosts = frozenset(hosts)
        self._networks = tuple(networks)
        self._suffixes = tuple(suffixes)
        self._single_labels = not only

    def inside(self, host: str | None) -> bool:
        """Whether the host of a URL or target is inside; it may carry userinfo, port, brackets, a final dot."""
        if host is None:
            return False
        if _is_unix(host):
            return True
        name = host_of(host)
        if name is None:
            return False
        address = _address(name)
        if address is not None:
            return self._holds(address)
        if name in self._hosts:
            return True
        if not _is_name(name):
            return False
        return name.endswith(self._suffixes) or (self._single_labels and "." not in name)

    def peer_inside(self, address: str) -> bool:
        """Whether the peer of a socket is inside: an address, or ``ipv4:…``, ``ipv6:…``, ``unix:…`` as gRPC writes it."""
        if _is_unix(address):
            return True
        for prefix in ("ipv4:", "ipv6:"):
            address = address.removeprefix(prefix)
        return self._node_inside(unquote(address))

    def forwarded_inside(self, forwarded: str | None, x_forwarded_for: str | None) -> bool:
        """Whether everybody whom the request was forwarded for is inside (RFC 7239, ``X-Forwarded-For``).

        ``unknown``, obfuscated and unreadable entries are outside, and so is a field of more than 2 KiB, which would
        cost its reader more than its sender. True where nothing was forwarded.
        """
        if max(len(forwarded or ""), len(x_forwarded_for or "")) > _LONGEST_FORWARDED:
            return False
        entries: list[str] = [] if x_forwarded_for is None else x_forwarded_for.split(",")
        if forwarded is not None:
            named = _forwarded_for(forwarded)
            if named is None:
                return False
            entries += named
        return all(self._node_inside(entry.strip()) for entry in entries)

    def _node_inside(self, text: str) -> bool:
        """Whether ``text`` is an address, perhaps with a port, that is inside; names prove nothing about a socket."""
        if "@" in text:
            return False
        name = host_of(text)
        address = None if name is None else _address(name)
        return address is not None and self._holds(address)

    def _holds(self, address: _Address) -> bool:
        return any(address.version == network.version and address in network for network in self._networks)


def host_of(text: str) -> str | None:
    """The bare host: lower case, without userinfo, port, brackets and final dot; ``None`` for none."""
    host = text.rpartition("@")[2].lower()
    if host.startswith("["):
        host, closed, port = host[1:].partition("]")
        return (host or None) if closed and (not port or _PORT.fullmatch(port)) else None
    if host.count(":") <= 1:  # more colons: an IPv6 address without brackets
        host = _PORT.sub("", host)
    return host.removesuffix(".") or None


def host_of_target(target: str) -> str | None:
    """The host of a gRPC target (``dns:///payments:50051``, ``ipv4:10.0.0.1:80``); ``unix:`` is left as it is."""
    if _is_unix(target):
        return "unix:"
    scheme, separated, rest = target.partition("://")
    if separated:
        if scheme not in _RESOLVED_BY_GRPC:
            return None
        target = rest.partition("/")[2]
    else:
        scheme, separated, rest = target.partition(":")
        if scheme in _RESOLVED_BY_GRPC and separated and not rest.isdigit():
            target = unquote(rest)
    first, _, more = target.partition(",")
    host = None if more else host_of(first)
    return host if host is None or _address(host) is not None or ":" not in host else None


def _is_unix(text: str) -> bool:
    """Whether ``text`` is the target or address of a socket in the file system or its abstract namespace."""
    scheme, colon, rest = text.partition(":")
    # A path begins with a slash or is no URL's authority; "unix:secret@evil.com" is one, with a user of that name.
    return (
        bool(colon)
        and scheme.lower() in ("unix", "unix-abstract")
        and (rest.startswith("/") or "@" not in rest)
    )


def _is_name(text: str) -> bool:
    """Whether ``text`` is a host's name, and not an address in other clothes."""
    return _HOST.fullmatch(text) is not None and not _NUMERIC_LABEL.fullmatch(text.rpartition(".")[2])


def _address(name: str) -> _Address | None:
    if "%" in name:  # a zone: of a link-local address, which is outside, or of nothing that a socket has
        return None
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _add(entry: str, hosts: set[str], networks: list[_Network], suffixes: list[str]) -> None:
    if entry.startswith("*.") and _is_name(entry[2:]):
        suffixes.append(entry[1:])
        return
    try:
        networks.append(ipaddress.ip_network(entry))
        return
    except ValueError:
        pass
    host = host_of(entry)
    if entry == "none" or host is None or "/" in entry or not _is_name(host):
        raise ConfigurationError(
            f"internal hosts must be hosts, *.domain or CIDR networks, got {entry!r}; none only stands first"
        )
    hosts.add(host)


def _forwarded_for(text: str) -> list[str] | None:
    """The ``for`` of every element; ``None`` where the field cannot be read, or an element names nobody."""
    found: list[str] = []
    at = 0
    named = False
    while True:
        match = _FORWARDED_PAIR.match(text, at)
        if match is None:
            return None
        at = match.end()
        if match.group(1).lower() == "for":
            value = match.group(2)
            found.append(re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value)
            named = True
        separator = text[at : at + 1]
        at += 1
        if separator in (",", ""):
            if not named:
                return None
            named = False
            if not separator:
                return found
        elif separator != ";":
            return None
