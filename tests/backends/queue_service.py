"""A service that others reach over NATS, written as an application would: what it knows of a request lies in the headers of messages."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Iterator, Mapping

from nats.aio.client import Client
from nats.aio.msg import Msg
from opentelemetry import context
from opentelemetry.trace import TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from otel_resilience import DistributedTracer, ErrorPropagator, RemoteError
from otel_resilience.errors.codecs.carriers import get_field
from otel_resilience_instrumentation._inbound import enter
from otel_resilience_instrumentation._outbound import request_fields
from tests.backends.addresses import LOOPBACK

ANSWER_SECONDS = 10.0

Work = Callable[[Msg], Awaitable[bytes]]

_trace_context = TraceContextTextMapPropagator()


class QueueService:
    """Asks and answers over one connection.

    Error chains go by the public `ErrorPropagator`. For correlation id and deadline there is no public way yet: they go by what the
    plugin has for HTTP and gRPC.
    """

    def __init__(self, name: str, connection: Client, tracers: TracerProvider) -> None:
        self.errors = ErrorPropagator(name)
        self.tracer = DistributedTracer(name, tracer_provider=tracers)
        self.connection = connection

    async def ask(self, subject: str) -> bytes:
        """The answer of whoever serves `subject`; `RemoteError` if it is a failure."""
        reply = await self.connection.request(subject, b"", ANSWER_SECONDS, headers=outgoing_headers())
        received = self.errors.extract(reply.headers)
        if received is not None:
            raise RemoteError(received)
        return reply.data

    async def serve(self, subject: str, work: Work, group: str = "") -> None:
        """Answer with what `work` returns, or with the chain of what it raises; a group shares the messages."""

        async def answer(message: Msg) -> None:
            headers: dict[str, str] = {}
            body = b""
            with self.in_hand(message):
                try:
                    body = await work(message)
                except Exception as error:
                    self.fail(error, subject, headers)
            await self.connection.publish(message.reply, body, headers=headers or None)

        await self.connection.subscribe(subject, group, cb=answer)
        await known_to_the_server(self.connection)

    def fail(self, error: Exception, operation: str, headers: dict[str, str]) -> None:
        """Write the chain of `error`, this service's hop last, into the headers of a message."""
        self.errors.inject(self.errors.propagate(error, operation=operation), headers)

    @contextlib.contextmanager
    def in_hand(self, message: Msg) -> Iterator[None]:
        """What the headers of `message` say of its request is current inside: trace, correlation id, deadline."""
        headers: Mapping[str, str] = message.headers or {}
        token = context.attach(_trace_context.extract(headers))
        try:
            with (
                enter(fields=lambda name: get_field(headers, name), peer=LOOPBACK, operation=message.subject),
                self.tracer.span(message.subject),
            ):
                yield
        finally:
            context.detach(token)


async def known_to_the_server(connection: Client) -> None:
    """Wait until the server has every subscription made so far."""
    # The client sends the ping of a flush ahead of what it still has to write, a subscription too: only the second ping comes behind it.
    await connection.flush()
    await connection.flush()


def outgoing_headers() -> dict[str, str]:
    """What goes out with a message that is sent now."""
    headers = request_fields(LOOPBACK)
    _trace_context.inject(headers)
    return headers
