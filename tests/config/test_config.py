"""Which policies guard a call: the most specific match wins, and lookups are safe, bounded and always the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_resilience.config import config
from otel_resilience.config.target import Target
from otel_resilience.exceptions import ConfigurationError
from tests.config.files import config_of, loaded

_SERVICES = """
defaults: {timeout: 2s}
services:
  address: {match: ["pay.shop.internal:8080", "[::1]:80"]}
  host: {match: [pay.shop.internal, "10.0.0.9"]}
  long: {match: ["*.shop.internal"]}
  short: {match: ["*.internal"]}
  payments: {}
  grpc: {match: ["grpc:shop.v1.Payments"]}
  mesh: {match: ["grpc:shop.v1.Mesh"], endpoints: ["10.0.0.7:50051", "10.0.0.8:50051"]}
  other: {match: ["grpc:shop.v1.Other"], endpoints: ["10.0.0.8:50051", "10.0.0.9:1"]}
  bare: {match: [bare], timeout: null}
  off: {match: [silent], mode: off}
  no-match: {match: []}
"""


_CATCH_ALL = _SERVICES + '  "*": {timeout: 10s}\n'


def service_of(found: Target | None) -> str | None:
    return None if found is None else found.service


@pytest.mark.parametrize(
    ("host", "port", "service"),
    [
        ("pay.shop.internal", 8080, "address"),
        ("PAY.Shop.Internal.", 8080, "address"),
        ("pay.shop.internal", 80, "host"),
        ("pay.shop.internal", None, "host"),
        ("x.shop.internal", 80, "long"),
        ("a.b.shop.internal", 80, "long"),
        ("shop.internal", 80, "short"),
        ("internal", 80, None),
        ("notshop.internal", 80, "short"),
        ("payments", 1234, "payments"),
        ("payments.shop", 80, None),
        ("grpc", 80, None),
        ("::1", 80, "address"),
        ("[::1]", 80, "address"),
        ("0:0:0::1", 80, "address"),
        ("::1", 81, None),
        ("10.0.0.9", 80, "host"),
        # An endpoint says whose address it is, unless several services share it; a written match goes before it.
        ("10.0.0.7", 50051, "mesh"),
        ("10.0.0.7", 1, None),
        ("10.0.0.8", 50051, None),
        ("10.0.0.9", 1, "other"),
        ("no-match", 80, None),
        ("", None, None),
    ],
)
def test_the_most_specific_match_wins(host: str, port: int | None, service: str | None) -> None:
    assert service_of(config_of(_SERVICES).find_http(host, port, "GET", "/")) == service
    expected = "*" if service is None else service
    assert service_of(config_of(_CATCH_ALL).find_http(host, port, "GET", "/")) == expected


@pytest.mark.parametrize(
    ("method", "target", "service"),
    [
        ("/shop.v1.Payments/Charge", "pay.shop.internal:8080", "grpc"),
        ("/shop.v1.Unknown/Charge", "dns:///pay.shop.internal:8080", "address"),
        ("/shop.v1.Unknown/Charge", "pay.shop.internal:1", "host"),
        ("/shop.v1.Unknown/Charge", "dns:///x.shop.internal", "long"),
        ("/shop.v1.Unknown/Charge", "ipv4:10.0.0.7:50051", "mesh"),
        ("/shop.v1.Mesh/Charge", "unix:/tmp/x", "mesh"),
        ("/shop.v1.Unknown/Charge", "unix:/tmp/x", None),
        ("/shop.v1.payments/Charge", "elsewhere:1", None),
        ("nonsense", "", None),
    ],
)
def test_grpc_goes_by_service_then_by_host(method: str, target: str, service: str | None) -> None:
    assert service_of(config_of(_SERVICES).find_grpc(method, target)) == service
    assert service_of(config_of(_CATCH_ALL).find_grpc(method, target)) == (
        "*" if service is None else service
    )


@pytest.mark.parametrize("host", ["bare", "silent"])
def test_an_entry_without_policies_or_switched_off_guards_nothing_and_is_no_business_of_the_catch_all(
    host: str,
) -> None:
    assert config_of(_CATCH_ALL).find_http(host, 80, "GET", "/") is None


_OPERATIONS = """
services:
  a:
    timeout: 1s
    operations:
      "POST /charge": {idempotent: true}
      "GET /report": {idempotent: false}
      "POST /plain": {}
      "* /nothing": {timeout: null}
      Charge: {idempotent: true}
      Plain: {}
"""


@pytest.mark.parametrize(
    ("method", "path", "key", "operation", "idempotent"),
    [
        ("GET", "/x", False, None, True),
        ("HEAD", "/x", False, None, True),
        ("OPTIONS", "/x", False, None, True),
        ("PUT", "/x", False, None, True),
        ("DELETE", "/x", False, None, True),
        ("delete", "/x", False, None, True),
        ("POST", "/x", False, None, False),
        ("PATCH", "/x", False, None, False),
        ("TRACE", "/x", False, None, False),
        ("POST", "/x", True, None, True),
        ("POST", "/charge", False, "POST /charge", True),
        ("POST", "/plain", False, "POST /plain", False),
        ("POST", "/plain", True, "POST /plain", True),
        # Written down, it goes before the method and the header.
        ("GET", "/report", True, "GET /report", False),
    ],
)
def test_what_may_be_sent_twice(
    method: str, path: str, key: bool, operation: str | None, idempotent: bool
) -> None:
    policies = config_of(_OPERATIONS)
    target = policies.find_http("a", 80, method, path, key)
    assert target is not None
    assert (target.operation, target.idempotent) == (operation, idempotent)
    assert target.pipeline is policies.pipeline("a", operation)


@pytest.mark.parametrize(
    ("method", "operation", "idempotent"),
    [("/x.Y/Charge", "Charge", True), ("/x.Y/Plain", "Plain", False), ("/x.Y/Get", None, False)],
)
def test_every_grpc_method_needs_the_word(method: str, operation: str | None, idempotent: bool) -> None:
    target = config_of(_OPERATIONS).find_grpc(method, "a:1")
    assert target is not None
    assert (target.operation, target.idempotent) == (operation, idempotent)


def test_an_operation_without_policies_is_not_guarded() -> None:
    assert config_of(_OPERATIONS).find_http("a", 80, "GET", "/nothing") is None


def test_the_same_pipeline_at_each_call() -> None:
    policies = config_of(_OPERATIONS)
    first = policies.find_http("a", 80, "POST", "/charge")
    assert first is policies.find_http("A", 443, "POST", "/charge")
    assert first is not None
    assert first.pipeline is policies.pipeline("a", "POST /charge") is policies.pipeline("a", "POST /charge")
    assert policies.pipeline("a", "POST /unknown") is policies.pipeline("a")


def test_all_pipelines_are_traced() -> None:
    assert vars(config_of(_OPERATIONS).pipeline("a"))["_traced"] is True


@pytest.mark.parametrize(
    ("name", "hint"),
    [("paymnts", "did you mean payments?"), ("*", "known are .*short")],
)
def test_an_unknown_service_is_an_error_with_the_nearest_names(name: str, hint: str) -> None:
    with pytest.raises(ConfigurationError, match=hint):
        config_of(_SERVICES).pipeline(name)


def test_what_the_file_says_of_itself(tmp_path: Path) -> None:
    policies = loaded(
        tmp_path, "service: orders\nmode: shadow\npropagation: edge\nservices: {a: {timeout: 1s}, b: {}}\n"
    )
    assert (policies.path, policies.service) == (str(tmp_path / "resilience.yaml"), "orders")
    assert (policies.mode, policies.propagation) == ("shadow", "edge")
    assert (policies.services, policies.guarded_services) == (("a", "b"), ("a",))
    empty = config_of("# nothing\n")
    assert (empty.service, empty.mode, empty.propagation, empty.services) == (None, "enforce", "internal", ())
    assert empty.find_http("a", 80, "GET", "/") is None


def test_hosts_are_named_only_where_they_are_written_in_full() -> None:
    policies = config_of("""
    services:
      api.stripe.com: {timeout: 1s}
      b: {match: ["B.example.com:443", "c.example.com", "*.d.example.com", "grpc:e.F"], endpoints: ["192.0.2.1:80"]}
      "*": {timeout: 1s}
    """)
    assert policies.named_hosts == {"b.example.com", "c.example.com", "192.0.2.1"}


def test_what_is_remembered_of_lookups_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "_REMEMBERED", 4)
    policies = config_of(_SERVICES)
    for n in range(20):
        assert service_of(policies.find_http(f"h{n}.internal", n, "GET", "/")) == "short"
        assert service_of(policies.find_grpc("/a.B/C", f"h{n}.internal:1")) == "short"
    remembered = [
        len(value)
        for value in vars(policies).values()
        if isinstance(value, dict) and "h19.internal" in repr(value)
    ]
    assert len(remembered) == 2
    assert max(remembered) <= 4


@given(st.text(), st.none() | st.integers(), st.text(), st.text())
def test_no_call_makes_a_lookup_raise(host: str, port: int | None, method: str, path: str) -> None:
    policies = config_of('services: {"*": {timeout: 1s, operations: {"GET /a/{b}": {}}}}')
    assert policies.find_http(host, port, method, path) is not None
    assert policies.find_grpc(path, host) is not None
