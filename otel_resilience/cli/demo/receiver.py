"""A receiver of OTLP over gRPC inside the demo's own process: no collector is needed to see what the shop says."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self

import grpc
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from otel_resilience.cli.demo import otlp
from otel_resilience.cli.demo.forward import Forward
from otel_resilience.cli.demo.telemetry import Telemetry

_SERVICES = "opentelemetry.proto.collector"


class Receiver:
    """A gRPC server on a free port of the loopback; a context manager.

    ``telemetry`` holds all that arrived. With a ``forward``, every request goes on to it as it came.
    """

    def __init__(self, forward: Forward | None = None) -> None:
        self.telemetry = Telemetry()
        self._forward = forward
        self._server = grpc.server(ThreadPoolExecutor(max_workers=4, thread_name_prefix="otlp-receiver"))
        self._accept(
            f"{_SERVICES}.trace.v1.TraceService",
            ExportTraceServiceRequest,
            ExportTraceServiceResponse,
            lambda request: self.telemetry.add(spans=otlp.spans_of(request)),
        )
        self._accept(
            f"{_SERVICES}.metrics.v1.MetricsService",
            ExportMetricsServiceRequest,
            ExportMetricsServiceResponse,
            lambda request: self.telemetry.add(points=otlp.points_of(request)),
        )
        self._accept(
            f"{_SERVICES}.logs.v1.LogsService",
            ExportLogsServiceRequest,
            ExportLogsServiceResponse,
            lambda request: self.telemetry.add(logs=otlp.logs_of(request)),
        )
        self.port = self._server.add_insecure_port("127.0.0.1:0")

    @property
    def endpoint(self) -> str:
        """What a service has as ``OTEL_EXPORTER_OTLP_ENDPOINT``."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop(grace=1).wait()

    def _accept(self, service: str, request: Any, response: Any, keep: Callable[[Any], None]) -> None:
        """Serve ``Export`` of one signal. Requests stay bytes until they are forwarded: they go on as they came."""

        def export(body: bytes, context: grpc.ServicerContext) -> Any:
            if self._forward is not None:
                self._forward.put(f"/{service}/Export", body)
            keep(request.FromString(body))
            return response()

        handler: grpc.RpcMethodHandler[bytes, Any] = grpc.unary_unary_rpc_method_handler(
            export, response_serializer=response.SerializeToString
        )
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(service, {"Export": handler}),)
        )
