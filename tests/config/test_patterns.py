"""Hosts, addresses, domains, gRPC services and targets: read and compared, never resolved."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_resilience.config.patterns import (
    HostPort,
    Kind,
    Pattern,
    grpc_target,
    normal_host,
    read_host_port,
    read_pattern,
)


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("payments", Pattern(Kind.HOST, "payments")),
        ("Payments.Example.COM.", Pattern(Kind.HOST, "payments.example.com")),
        ("payment_gateway", Pattern(Kind.HOST, "payment_gateway")),
        ("payments:8080", Pattern(Kind.ADDRESS, "payments", 8080)),
        ("10.0.0.7:80", Pattern(Kind.ADDRESS, "10.0.0.7", 80)),
        ("[::1]:80", Pattern(Kind.ADDRESS, "::1", 80)),
        ("[0:0::1]", Pattern(Kind.HOST, "::1")),
        ("FE80::1", Pattern(Kind.HOST, "fe80::1")),
        ("müller.de", Pattern(Kind.HOST, "xn--mller-kva.de")),
        ("*.payments.internal", Pattern(Kind.DOMAIN, "payments.internal")),
        ("*.com", Pattern(Kind.DOMAIN, "com")),
        ("grpc:shop.v1.Payments", Pattern(Kind.GRPC, "shop.v1.Payments")),
        ("grpc:Payments", Pattern(Kind.GRPC, "Payments")),
    ],
)
def test_patterns(text: str, pattern: Pattern) -> None:
    assert read_pattern(text) == pattern


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*",
        "*.",
        "*.x:80",
        "*x.de",
        "a.*.de",
        "http://x",
        "x/path",
        "x:0",
        "x:65536",
        "x:http",
        "x:",
        ":80",
        "x:80:90",
        "user@x",
        "a b",
        "a..b",
        "-a",
        "a-",
        "[x]:80",
        "[::1",
        "[::1]80",
        "x\n",
        "x:٢",
        "grpc:",
        "grpc:a/B",
        "grpc:a..B",
        "grpc:1a",
        "a" * 254,
    ],
)
def test_what_is_no_pattern(text: str) -> None:
    assert read_pattern(text) is None


@given(st.text(st.sampled_from("aZ0.-_:*[]/ü é%@"), max_size=12))
def test_what_is_read_is_read_again_as_the_same(text: str) -> None:
    pattern = read_pattern(text)
    if pattern is not None:
        assert read_pattern(str(pattern)) == pattern


@given(st.text())
def test_a_normal_host_stays_as_it_is(host: str) -> None:
    normal = normal_host(host)
    assert normal_host(normal) == normal


@pytest.mark.parametrize(
    ("target", "found"),
    [
        ("payments:50051", HostPort("payments", 50051)),
        ("payments", HostPort("payments", 443)),
        ("Payments.Shop.:50051", HostPort("payments.shop", 50051)),
        ("dns:///payments:50051", HostPort("payments", 50051)),
        ("dns://8.8.8.8/payments:50051", HostPort("payments", 50051)),
        ("dns:payments:50051", HostPort("payments", 50051)),
        ("DNS:///payments", HostPort("payments", 443)),
        ("ipv4:10.0.0.7:50051", HostPort("10.0.0.7", 50051)),
        ("ipv4:10.0.0.7:50051,10.0.0.8:50051", HostPort("10.0.0.7", 50051)),
        ("ipv6:[::1]:50051", HostPort("::1", 50051)),
        ("[::1]:50051", HostPort("::1", 50051)),
        ("::1", HostPort("::1", 443)),
        ("passthrough:///payments:50051", HostPort("payments", 50051)),
        ("xds:///payments", HostPort("payments")),
        ("unix:/tmp/socket", None),
        ("unix:///tmp/socket", None),
        ("unix-abstract:name", None),
        ("vsock:1:2", None),
        ("", None),
        ("dns:///not a host", None),
    ],
)
def test_grpc_targets(target: str, found: HostPort | None) -> None:
    assert grpc_target(target) == found


@given(st.text())
def test_no_target_makes_anything_raise(target: str) -> None:
    grpc_target(target)


@pytest.mark.parametrize(
    ("text", "shown"), [("[::1]:80", "[::1]:80"), ("::1", "[::1]"), ("a:80", "a:80"), ("a", "a")]
)
def test_addresses_as_text(text: str, shown: str) -> None:
    assert str(read_host_port(text)) == shown
