"""Jaeger, Prometheus and Alertmanager, running on loopback with the configuration that `deploy/` ships."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.backends.addresses import free_addresses
from tests.backends.asking import eventually, get_json
from tests.backends.server import Server
from tests.backends.webhook import Webhook

REPOSITORY = Path(__file__).resolve().parents[2]
DEPLOY = REPOSITORY / "deploy"
BINARIES = REPOSITORY / ".backends" / "bin"


def program(name: str) -> Path:
    """An obtained program; FileNotFoundError that names `make backends` if it is not there."""
    path = BINARIES / name
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing: run `make backends` first, which obtains all of them")
    return path


@dataclass(frozen=True, slots=True, kw_only=True)
class Backends:
    """Where the running servers are, and what they say when asked. Addresses are `host:port`, URLs have no slash at the end."""

    otlp_grpc: str
    otlp_http: str
    jaeger_url: str
    prometheus_url: str
    alertmanager_url: str
    webhook: Webhook

    @property
    def webhook_notifications(self) -> list[dict[str, Any]]:
        """Every notification that Alertmanager has posted so far, as parsed JSON."""
        return self.webhook.notifications

    def trace(self, trace_id: str) -> dict[str, Any] | None:
        """A trace as Jaeger's query API shows it (`spans`, `processes`), or None while Jaeger knows none of its spans."""
        answer = get_json(f"{self.jaeger_url}/api/traces/{trace_id}")
        return answer["data"][0] if answer and answer["data"] else None

    def traces(self, service: str, tags: dict[str, str] | None = None) -> list[dict[str, Any]]:
        """The traces that Jaeger finds for a service and, if given, a span of it with these tags; at most 1000."""
        wanted = {"service": service, "limit": "1000", **({"tags": json.dumps(tags)} if tags else {})}
        found: list[dict[str, Any]] = get_json(f"{self.jaeger_url}/api/traces", **wanted)["data"] or []
        return found

    def query(self, expression: str) -> list[dict[str, Any]]:
        """What Prometheus answers to an expression now: each with `metric` (labels) and `value` (time, text), or for a
        range like `name[5m]` with `values`."""
        answer = get_json(f"{self.prometheus_url}/api/v1/query", query=expression)
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found


@contextlib.contextmanager
def running_backends(folder: Path) -> Iterator[Backends]:
    """Start the three with data under `folder`, wait until each is ready, and stop them all at the end, whatever happens."""
    programs = {name: program(name) for name in ("jaeger", "prometheus", "alertmanager")}
    alertmanager, prometheus, otlp_grpc, otlp_http, query_http, query_grpc, health, own_metrics = (
        free_addresses(8)
    )
    for part in ("alertmanager", "prometheus", "collector"):
        shutil.copytree(DEPLOY / part, folder / part)
    with contextlib.ExitStack() as stack:
        webhook = Webhook()
        stack.callback(webhook.close)
        # The two files that hold addresses are all that differs from what is shipped.
        (folder / "alertmanager" / "webhook_url").write_text(webhook.url)
        (folder / "prometheus" / "alertmanagers.json").write_text(json.dumps([{"targets": [alertmanager]}]))

        def start(name: str, part: str, arguments: list[str], **environment: str) -> Server:
            server = Server(programs[name], arguments, folder=folder / part, environment=environment)
            stack.callback(server.stop)
            return server

        alerting = start(
            "alertmanager",
            "alertmanager",
            # Empty: one instance alone, and no port for a cluster.
            [
                "--config.file=alertmanager.yml",
                f"--web.listen-address={alertmanager}",
                "--cluster.listen-address=",
                "--storage.path=data",
            ],
        )
        storing = start(
            "prometheus",
            "prometheus",
            [
                "--config.file=prometheus.yml",
                f"--web.listen-address={prometheus}",
                "--web.enable-otlp-receiver",
                "--storage.tsdb.path=data",
            ],
        )
        collecting = start(
            "jaeger",
            "collector",
            ["--config", "jaeger.yaml"],
            COLLECTOR_OTLP_GRPC_ENDPOINT=otlp_grpc,
            COLLECTOR_OTLP_HTTP_ENDPOINT=otlp_http,
            COLLECTOR_HEALTH_ENDPOINT=health,
            COLLECTOR_METRICS_PORT=own_metrics.rpartition(":")[2],
            JAEGER_QUERY_HTTP_ENDPOINT=query_http,
            JAEGER_QUERY_GRPC_ENDPOINT=query_grpc,
            PROMETHEUS_URL=f"http://{prometheus}",
        )
        alerting.wait_until_ready(f"http://{alertmanager}/-/ready")
        storing.wait_until_ready(f"http://{prometheus}/-/ready")
        collecting.wait_until_ready(f"http://{health}/status")
        collecting.wait_until_ready(f"http://{query_http}/api/services")
        # Prometheus is ready before it has read whom to alert; what fires until then would be sent a minute later.
        eventually(
            lambda: get_json(f"http://{prometheus}/api/v1/alertmanagers")["data"]["activeAlertmanagers"],
            "Prometheus knowing its Alertmanager",
            within=30.0,
        )
        yield Backends(
            otlp_grpc=otlp_grpc,
            otlp_http=otlp_http,
            jaeger_url=f"http://{query_http}",
            prometheus_url=f"http://{prometheus}",
            alertmanager_url=f"http://{alertmanager}",
            webhook=webhook,
        )
