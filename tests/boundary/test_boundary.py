"""Who is inside: every rule from both sides, and addresses in other clothes."""

from __future__ import annotations

import pytest

from otel_resilience.boundary import Boundary, host_of_target
from otel_resilience.exceptions import ConfigurationError

BOUNDARY = Boundary("api.example.com, *.corp.example, 203.0.113.0/24", named=["pay.example.org:8080"])

INSIDE = [
    "payments",
    "payments:8080",
    "PAYMENTS.",
    "localhost",
    "user@payments",
    "evil.com@payments",
    "127.0.0.1",
    "127.0.0.1:80",
    "127.255.0.1",
    "10.1.2.3",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.0.1",
    "10.0.0.1.",
    "[::1]",
    "[::1]:80",
    "::1",
    "[fc00::1]",
    "[fdff::1]",
    "[::ffff:10.0.0.1]",
    "ledger.svc",
    "ledger.shop.svc",
    "ledger.svc.cluster.local",
    "db.internal",
    "printer.local",
    "evil-svc",
    "api.example.com",
    "API.EXAMPLE.COM:443",
    "x.corp.example",
    "a.b.corp.example",
    "203.0.113.9",
    "pay.example.org",
    "unix:/run/app.sock",
    "unix:",
    "unix-abstract:app",
    "UNIX:/run/app.sock",
]

OUTSIDE = [
    "example.com",
    "pay.example.org.evil.com",
    "localhost.evil.com",
    "evil.com",
    "payments@evil.com",
    "payments:80@evil.com",
    "8.8.8.8",
    "172.15.255.255",
    "172.32.0.1",
    "192.169.0.1",
    "11.0.0.1",
    "0.0.0.0",
    "2130706433",
    "0x7f000001",
    "0x7F.1",
    "127.1",
    "0177.0.0.1",
    "10.1",
    "0x.0x1",
    "1.2.3.4.5",
    "example.0x10",
    "[2001:db8::1]",
    "[::ffff:8.8.8.8]",
    "[fe80::1]",
    "[fe80::1%25eth0]",
    "[::1%25eth0]",
    "[fc00::1%evil.com]",
    "169.254.169.254",
    "[::ffff:169.254.169.254]",
    "[::1",
    "corp.example",
    "xcorp.example",
    "api.example.com.evil.com",
    "svc.evil.com",
    "evilsvc.com",
    "bücher",
    "a/b",
    "-a",
    "a..svc%00",
    "a..svc",
    ".svc",
    "payments..",
    "payments:80x",
    "[::1].evil.com",
    "[::1]evil",
    "[::1]@evil.com",
    "unix:pw@evil.com",
    "unix-abstract:pw@evil.com",
    "payments\u3002evil\u3002com",
    "a\n",
    " payments",
]


@pytest.mark.parametrize("host", INSIDE)
def test_inside(host: str) -> None:
    assert BOUNDARY.inside(host)


@pytest.mark.parametrize("host", [*OUTSIDE, "", " ", None, "a b", "payments\n.evil.com"])
def test_outside(host: str | None) -> None:
    assert not BOUNDARY.inside(host)


def test_none_drops_the_defaults_and_keeps_what_is_named() -> None:
    boundary = Boundary("none, payments, 10.0.0.0/8", named=["ledger"])
    assert [host for host in ("payments", "ledger", "10.1.1.1") if not boundary.inside(host)] == []
    assert [host for host in ("other", "127.0.0.1", "a.svc", "192.168.1.1") if boundary.inside(host)] == []


def test_a_named_address_is_the_same_address_however_it_is_written() -> None:
    boundary = Boundary("2001:DB8:0::2", named=["[2001:DB8::1]:8080"])
    assert boundary.inside("2001:db8:0:0::1")
    assert boundary.peer_inside("2001:db8::1")
    assert boundary.inside("[2001:db8::2]:443")
    assert not boundary.inside("2001:db8::3")


def test_a_pattern_makes_no_host_inside() -> None:
    boundary = Boundary(named=["*.evil.com", "*", "grpc:shop.v1.Payments"])
    assert not boundary.inside("x.evil.com")
    assert not boundary.inside("shop.v1.payments")


@pytest.mark.parametrize(
    "entry",
    [
        "*.",
        "*",
        "10.0.0.1/8",
        "http://x",
        "a b",
        "*.*.x/1",
        "10",
        "2130706433",
        "0x7f000001",
        "127.1",
        "*.1",
        "a..b",
        "payments, none",
    ],
)
def test_an_entry_that_is_nothing_is_one_clear_error(entry: str) -> None:
    with pytest.raises(ConfigurationError, match="hosts, \\*\\.domain or CIDR networks, got"):
        Boundary(entry)


@pytest.mark.parametrize(
    ("peer", "inside"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("ipv4:127.0.0.1:5000", True),
        ("ipv6:%5B::1%5D:5000", True),
        ("ipv6:[fd00::7]:1", True),
        ("unix:", True),
        ("unix:/run/x", True),
        ("unix-abstract:x", True),
        ("x@10.0.0.1", False),
        ("[::1].evil.com", False),
        ("ipv4:8.8.8.8:53", False),
        ("payments", False),
        ("", False),
        ("ipv6:%5Bfe80::1%25eth0%5D:1", False),
    ],
)
def test_peers_of_sockets(peer: str, inside: bool) -> None:
    assert BOUNDARY.peer_inside(peer) is inside


@pytest.mark.parametrize(
    ("forwarded", "x_forwarded_for", "inside"),
    [
        (None, None, True),
        (None, "10.0.0.1", True),
        (None, "10.0.0.1, 127.0.0.1:80, [::1]:9", True),
        (None, "10.0.0.1, 8.8.8.8", False),
        (None, "unknown", False),
        (None, "", False),
        (None, "10.0.0.1,,10.0.0.2", False),
        (None, "unix:", False),
        (None, "ipv4:10.0.0.1", False),
        (None, "x@10.0.0.1", False),
        (None, "::1%eth0", False),
        ('for="unix:"', None, False),
        ("for=10.0.0.1", None, True),
        ('For="[fc00::1]:4711";proto=https, for=127.0.0.1;by=10.0.0.2', None, True),
        ("for=10.0.0.1, for=8.8.8.8", None, False),
        ("for=unknown", None, False),
        ("for=_hidden", None, False),
        ('for="_hidden:80"', None, False),
        ("proto=https", None, False),
        ("for=10.0.0.1,", None, False),
        ("for", None, False),
        ('for="10.0.0.1', None, False),
        ("for=10.0.0.1", "8.8.8.8", False),
        (None, ",".join(["10.0.0.1"] * 227), True),
        (None, ",".join(["10.0.0.1"] * 228), False),
        (",".join(["for=10.0.0.1"] * 157), None, True),
        (",".join(["for=10.0.0.1"] * 158), None, False),
    ],
)
def test_everybody_whom_it_was_forwarded_for(
    forwarded: str | None, x_forwarded_for: str | None, inside: bool
) -> None:
    assert BOUNDARY.forwarded_inside(forwarded, x_forwarded_for) is inside


@pytest.mark.parametrize(
    ("target", "host"),
    [
        ("payments:50051", "payments"),
        ("payments", "payments"),
        ("dns:///payments:50051", "payments"),
        ("dns://8.8.8.8/payments:50051", "payments"),
        ("dns:payments:50051", "payments"),
        ("ipv4:10.0.0.1:80", "10.0.0.1"),
        ("ipv6:[::1]:80", "::1"),
        ("ipv4:10.0.0.1:80,8.8.8.8:80", None),
        ("unix:/run/x", "unix:"),
        ("unix:///run/x", "unix:"),
        ("xds:///payments", "payments"),
        ("dns:50051", "dns"),
        ("unix-abstract:x", "unix:"),
        ("vsock:2:50051", None),
        ("other://8.8.8.8/payments", None),
        ("https://evil.com/payments", None),
        ("", None),
    ],
)
def test_hosts_of_grpc_targets(target: str, host: str | None) -> None:
    assert host_of_target(target) == host
