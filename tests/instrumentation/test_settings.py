"""What the plugin was told: precedence, and bad values that stop nothing."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from otel_resilience.outcome import Mode
from otel_resilience.telemetry.install import install
from otel_resilience_instrumentation import _settings
from otel_resilience_instrumentation._settings import Propagation, Runtime

Settings = Callable[..., Runtime]

POLICIES = 'services: {payments: {match: ["payments:8080", "grpc:shop.v1.Payments"], timeout: 2s}}'


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ENABLED", "CONFIG", "MODE", "INTERNAL_HOSTS", "PROPAGATION"):
        monkeypatch.delenv(f"OTEL_RESILIENCE_{name}", raising=False)


def test_without_anything_nothing_is_guarded_and_the_boundary_is_the_default(settings: Settings) -> None:
    made = settings()
    assert made.enabled
    assert made.config is None
    assert made.find_http("payments", 8080, "GET", "/") is None
    assert made.find_grpc("/shop.v1.Payments/Charge", "payments:50051") is None
    assert made.exchanges_with("payments")
    assert not made.exchanges_with("shop.example.com")


def test_the_file_guards(settings: Settings) -> None:
    made = settings(POLICIES)
    target = made.find_http("payments", 8080, "GET", "/")
    assert target is not None
    assert (target.service, target.idempotent) == ("payments", True)
    assert install().gauges.config_valid is True
    assert made.find_grpc("/shop.v1.Payments/Charge", "dns:///elsewhere:50051") is not None


def test_the_file_is_named_by_the_environment(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "policies.yaml"
    file.write_text(POLICIES)
    monkeypatch.setenv("OTEL_RESILIENCE_CONFIG", str(file))
    made = settings()
    assert made.config is not None
    assert made.config.path == str(file)


def test_hosts_written_in_full_are_inside(settings: Settings) -> None:
    made = settings('services: {pay: {match: ["pay.example.com", "*.shop.example.com"], timeout: 1s}}')
    assert made.exchanges_with("pay.example.com")
    assert not made.exchanges_with("a.shop.example.com")


@pytest.mark.parametrize("text", ["false", "FALSE", " false "])
def test_it_can_be_switched_off(settings: Settings, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_RESILIENCE_ENABLED", text)
    assert not settings(POLICIES).enabled


@pytest.mark.parametrize(
    ("variable", "value", "rule"),
    [
        ("OTEL_RESILIENCE_ENABLED", "maybe", "must be true or false"),
        ("OTEL_RESILIENCE_MODE", "shaddow", "must be one of enforce, shadow, off"),
        ("OTEL_RESILIENCE_PROPAGATION", "inside", "must be one of internal, edge, off, all"),
        ("OTEL_RESILIENCE_INTERNAL_HOSTS", "10.0.0.0/99", "10.0.0.0/99"),
    ],
)
def test_a_bad_value_is_one_clear_line_and_the_default_is_used(
    settings: Settings,
    variable: str,
    value: str,
    rule: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv(variable, value)
    made = settings(POLICIES)
    assert made.enabled
    assert made.propagation is Propagation.INTERNAL
    assert made.config is not None
    assert made.config.mode is Mode.ENFORCE
    assert made.exchanges_with("payments")
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert variable in record.getMessage()
    assert value in record.getMessage()
    assert rule in record.getMessage()
    assert "\n" not in record.getMessage()


def test_the_environment_goes_before_the_file_and_arguments_before_both(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = f"mode: shadow\npropagation: edge\n{POLICIES}\n"
    made = settings(text)
    assert made.config is not None
    assert (made.config.mode, made.propagation) == (Mode.SHADOW, Propagation.EDGE)
    monkeypatch.setenv("OTEL_RESILIENCE_MODE", "enforce")
    monkeypatch.setenv("OTEL_RESILIENCE_PROPAGATION", "all")
    made = settings(text)
    assert made.config is not None
    assert (made.config.mode, made.propagation) == (Mode.ENFORCE, Propagation.ALL)
    made = settings(text, mode="off", propagation="off")
    assert made.propagation is Propagation.OFF
    assert made.find_http("payments", 8080, "GET", "/") is None


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("services: {a: {timeout: soon}}", "line 1: services.a.timeout"),
        ("services: [", "line"),
        (None, "missing.yaml"),
    ],
)
def test_a_broken_file_is_one_line_and_stops_nothing(
    settings: Settings,
    text: str | None,
    line: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    made = settings(text) if text is not None else settings(config=str(tmp_path / "missing.yaml"))
    assert made.enabled
    assert made.config is None
    assert install().gauges.config_valid is False
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("otel_resilience", logging.ERROR)
    assert line in record.getMessage()
    assert "\n" not in record.getMessage()


def test_where_only_telemetry_listens_the_line_is_on_stderr_too(
    settings: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Exporting(logging.Handler):
        __module__ = "opentelemetry.sdk._logs"

        def emit(self, record: logging.LogRecord) -> None: ...

    logger = logging.getLogger("otel_resilience")
    monkeypatch.setattr(logger, "handlers", [Exporting()])
    monkeypatch.setattr(logger, "propagate", False)
    settings("services: {a: {timeout: soon}}")
    assert "services.a.timeout" in capsys.readouterr().err
    monkeypatch.setattr(logger, "handlers", [logging.NullHandler()])
    settings("services: {a: {timeout: soon}}")
    assert capsys.readouterr().err == ""


def test_threads_that_begin_at_once_get_one_runtime(settings: Settings) -> None:
    settings()
    _settings.use(None)
    ready = threading.Barrier(8)
    made: list[Runtime] = []

    def begin() -> None:
        ready.wait()
        made.append(_settings.start())

    threads = [threading.Thread(target=begin) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(each) for each in made}) == 1


def test_settings_that_come_too_late_are_said_so(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    made = settings()
    assert _settings.start() is made
    assert caplog.records == []
    assert _settings.start(mode="shadow") is made
    assert "not used" in caplog.records[0].getMessage()


def test_before_any_instrumentor_nothing_is_enabled() -> None:
    before = _settings.use(None)
    assert not _settings.runtime().enabled
    _settings.use(before)
