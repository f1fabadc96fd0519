"""Well is who answers ``grpc.health.v1.Health/Check`` with SERVING.

https://github.com/grpc/grpc/blob/master/doc/health-checking.md. The two messages have one field each and are
written by hand: no generated code, no further package.
"""

from __future__ import annotations

import asyncio
import importlib.util
import inspect
from typing import TYPE_CHECKING, Any

from otel_resilience.discovery.probes.answer import CannotProbeError, ProbeFailedError

if TYPE_CHECKING:
    import grpc

_METHOD = "/grpc.health.v1.Health/Check"
_SERVING = 1
_STATUSES = {0: "UNKNOWN", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}

#: A channel shared with others would wait, after a failure, up to two minutes before it tries again:
#: longer than the instance is away.
_OPTIONS = (("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0), ("grpc.enable_retries", 0))


async def probe_grpc(host: str, port: int, service: str, seconds: float) -> None:
    """Ask, for at most ``seconds``.

    Raises ``ProbeFailedError``, or ``CannotProbeError`` where grpcio is not installed.
    """
    if importlib.util.find_spec("grpc") is None:
        raise CannotProbeError("grpcio is not installed")
    import grpc

    # What an instrumentation put around it makes spans and guards calls; a check is neither traced nor guarded.
    insecure_channel = inspect.unwrap(grpc.insecure_channel)
    target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    channel: grpc.Channel = insecure_channel(target, options=_OPTIONS)
    try:
        call = channel.unary_unary(_METHOD, request_serializer=_request, response_deserializer=_status)
        status = await _answered(call.future(service, timeout=seconds))
    finally:
        channel.close()
    if status != _SERVING:
        raise ProbeFailedError(f"gRPC health {_STATUSES.get(status, 'of an unknown kind')}")


async def _answered(pending: Any) -> int:
    loop = asyncio.get_running_loop()
    done = asyncio.Event()

    def wake(_: object) -> None:
        try:
            loop.call_soon_threadsafe(done.set)
        except RuntimeError:
            pass  # the loop was closed meanwhile

    pending.add_done_callback(wake)
    try:
        await done.wait()
    finally:
        pending.cancel()
    error = pending.exception()
    if error is None:
        return int(pending.result())
    raise ProbeFailedError(f"gRPC {error.code().name}")


def _request(service: str) -> bytes:
    name = service.encode()
    return b"\x0a" + _varint(len(name)) + name if name else b""  # field 1, a text


def _status(message: bytes) -> int:
    # Field 1, an enum; left out when it is 0. Anything else is no answer of this protocol.
    if not message:
        return 0
    return message[1] if len(message) == 2 and message[0] == 0x08 else -1


def _varint(number: int) -> bytes:
    written = bytearray()
    while number > 0x7F:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    written.append(number)
    return bytes(written)
