"""Who is inside: judged by what is written in a URL, a target or a socket's address, never by resolving a name.

Inside are loopback and private addresses, single-label hosts, ``*.svc *.cluster.local *.internal *.local``, and what the policy file or
``OTEL_RESILIENCE_INTERNAL_HOSTS`` names. A name of digits or ``0x…`` is an address in other clothes (``http://2130706433/``), and outside.
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

_HOST = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?")
_NUMERIC_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*")
_PORT = re.compile(r":[0-9]*$")
_FORWARDED_PAIR = re.compile(r'\s*([A-Za-z0-9!#$%&\'*+.^_`|~-]+)=("(?:[^"\\]|\\.)*"|[^\s",;]+)\s*')


class Boundary:
    """Which hosts and peers are inside. Immutable, safe from any thread.

    ``extra`` is the text of ``OTEL_RESILIENCE_INTERNAL_HOSTS``: hosts, ``*.domain`` and CIDR networks, with commas between them, added to the defaults; a
    leading ``none,`` drops these. ``named`` are hosts written in full in the policy file. Raises ``ConfigurationError`` for an entry of ``extra`` that
    is none of these.
    """

    def __init__(self, extra: str = "", named: Iterable[str] = ()) -> None:
        entries = [entry.strip().lower() for entry in extra.split(",") if entry.strip()]
        only = bool(entries) and entries[0] == "none"
        hosts: set[str] = set()
        networks: list[_Network] = [] if only else list(_DEFAULT_NETWORKS)
        suffixes: list[str] = [] if only else list(_DEFAULT_SUFFIXES)
        for entry in entries[1:] if only else entries:
            _add(entry, hosts, networks, suffixes)
        hosts.update(host for name in named if (host := host_of(name)) is not None)
        self._hosts = frozenset(hosts)
        self._networks = tuple(networks)
        self._suffixes = tuple(suffixes)
        self._single_labels = not only

    def inside(self, host: str | None) -> bool:
        """Whether the host of a URL or target is inside; it may carry userinfo, port, brackets, a final dot."""
        if host is None:
            return False
        if host.startswith("unix:"):
            return True
        name = host_of(host)
        if name is None:
            return False
        if name in self._hosts:
            return True
        address = _address(name)
        if address is not None:
            return self._holds(address)
        if _NUMERIC_LABEL.fullmatch(name.rpartition(".")[2]) or _HOST.fullmatch(name) is None:
            return False
        return name.endswith(self._suffixes) or (self._single_labels and "." not in name)

    def peer_inside(self, address: str) -> bool:
        """Whether the peer of a socket is inside: an address, or ``ipv4:…``, ``ipv6:…``, ``unix:…`` as gRPC writes it."""
        if address.startswith("unix:"):
            return True
        for prefix in ("ipv4:", "ipv6:"):
            address = address.removeprefix(prefix)
        name = host_of(unquote(address))
        parsed = None if name is None else _address(name)
        return parsed is not None and (self._holds(parsed) or name in self._hosts)

    def forwarded_inside(self, forwarded: str | None, x_forwarded_for: str | None) -> bool:
        """Whether everybody whom the request was forwarded for is inside (RFC 7239, ``X-Forwarded-For``).

        ``unknown``, obfuscated and unreadable entries are outside. True where nothing was forwarded.
        """
        entries: list[str] = [] if x_forwarded_for is None else x_forwarded_for.split(",")
        if forwarded is not None:
            named = _forwarded_for(forwarded)
            if named is None:
                return False
            entries += named
        return all(self.peer_inside(entry.strip()) for entry in entries)

    def _holds(self, address: _Address) -> bool:
        return any(address.version == network.version and address in network for network in self._networks)


def host_of(text: str) -> str | None:
    """The bare host: lower case, without userinfo, port, brackets and final dot; ``None`` for none."""
    host = text.rpartition("@")[2].strip().lower()
    if host.startswith("["):
        host, closed, _ = host[1:].partition("]")
        return (host or None) if closed else None
    if host.count(":") <= 1:  # more colons: an IPv6 address without brackets
        host = _PORT.sub("", host)
    return host.removesuffix(".") or None


def host_of_target(target: str) -> str | None:
    """The host of a gRPC target: ``dns:///payments:50051``, ``ipv4:10.0.0.1:80``, ``payments:50051``; ``unix:`` is left as it is."""
    if target.startswith(("unix:", "unix-abstract:")):
        return "unix:"
    scheme, separated, rest = target.partition("://")
    if separated:
        target = rest.partition("/")[2] if scheme != "" else rest
    else:
        scheme, separated, rest = target.partition(":")
        if scheme in ("dns", "ipv4", "ipv6", "xds") and separated and not rest.isdigit():
            target = unquote(rest)
    first, _, more = target.partition(",")
    return host_of(first) if not more else None


def _address(name: str) -> _Address | None:
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _add(entry: str, hosts: set[str], networks: list[_Network], suffixes: list[str]) -> None:
    if entry.startswith("*.") and _HOST.fullmatch(entry[2:]):
        suffixes.append(entry[1:])
        return
    try:
        networks.append(ipaddress.ip_network(entry))
        return
    except ValueError:
        pass
    host = host_of(entry)
    if host is None or "/" in entry or _HOST.fullmatch(host) is None:
        raise ConfigurationError(f"internal hosts must be hosts, *.domain or CIDR networks, got {entry!r}")
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
