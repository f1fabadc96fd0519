"""Error chains over a queue: a real NATS server, two hops of messages, the chain whole at the near end."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import httpx
import nats
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from otel_resilience import (
    CorrelationManager,
    Deadline,
    DomainError,
    ErrorChain,
    RemoteError,
    Timeout,
    error_chain,
)
from otel_resilience.testing import ManualClock
from otel_resilience_instrumentation import _settings
from otel_resilience_instrumentation.httpx import HttpxInstrumentor
from tests.backends.queue_service import QueueService, known_to_the_server, outgoing_headers
from tests.instrumentation.http_server import Reply, ScriptedServer
from tests.telemetry.observatory import Observatory, attributes

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
#: What a later version of a database's proxy may send.
FROM_LATER = f'"proxy";c=DB_UNAVAILABLE;t="{TRACE}";s="{SPAN}";r;x-region=eu-1;x-shards=3;x-note=:AAEC:'
DISCARDED = "resilience.propagation.discarded"
DELIVERIES = 3

manager = CorrelationManager()
Connect = Callable[[], Awaitable[Client]]


@pytest.fixture
async def connect(nats_url: str) -> AsyncIterator[Connect]:
    """A connection for each service, closed at the end."""
    async with contextlib.AsyncExitStack() as stack:

        async def one() -> Client:
            connection = await nats.connect(nats_url)
            stack.push_async_callback(connection.close)
            return connection

        yield one


@pytest.fixture
def seen() -> Iterator[Observatory]:
    with Observatory() as observatory:
        yield observatory


@pytest.fixture
def clock() -> Iterator[ManualClock]:
    with ManualClock() as clock:
        yield clock


class Shop:
    """The near end, two services behind it, and what each knew of the request in hand."""

    def __init__(self, near: QueueService, orders: QueueService, ledger: QueueService) -> None:
        self.near, self.orders, self.ledger = near, orders, ledger
        self.known: dict[str, tuple[str | None, float | None]] = {}

    def note(self, service: str) -> None:
        """Keep correlation id and remaining seconds, as they are where this is called."""
        deadline = Deadline.current()
        self.known[service] = (manager.current(), None if deadline is None else deadline.remaining())

    async def checkout_fails(self) -> ErrorChain:
        """The chain of the near end's own error, after a checkout that has two seconds and the correlation id order-42."""
        async with Timeout(2.0):
            with manager.scope("order-42"), self.near.tracer.trace("checkout"):
                self.note("shop")
                with pytest.raises(RemoteError) as raised:
                    await self.near.ask("orders.place")
                chain = error_chain(self.near.errors.propagate(raised.value, operation="checkout"))
        assert chain is not None
        return chain


@pytest.fixture
async def shop(seen: Observatory, clock: ManualClock, connect: Connect) -> Shop:
    """Orders takes half a second, and then asks the ledger; who serves the ledger is the test's to say."""
    shop = Shop(*[QueueService(name, await connect(), seen.tracers) for name in ("shop", "orders", "ledger")])

    async def place(message: Msg) -> bytes:
        shop.note("orders")
        clock.advance(0.5)
        return await shop.orders.ask("ledger.charge")

    await shop.orders.serve("orders.place", place)
    return shop


async def test_a_failure_two_queue_hops_away_arrives_whole(
    shop: Shop, seen: Observatory, connect: Connect
) -> None:
    async def charge(message: Msg) -> bytes:
        shop.note("ledger")
        raise DomainError("DB_UNAVAILABLE", "the password is swordfish", retryable=True)

    await shop.ledger.serve("ledger.charge", charge)
    tap = await connect()
    everything = await tap.subscribe(">")
    await known_to_the_server(tap)
    chain = await shop.checkout_fails()
    assert [(hop.service, hop.operation, hop.code) for hop in chain.hops] == [
        ("ledger", "ledger.charge", "DB_UNAVAILABLE"),
        ("orders", "orders.place", "DB_UNAVAILABLE"),
        ("shop", "checkout", "DB_UNAVAILABLE"),
    ]
    assert (chain.retryable, chain.omitted) == (True, 0)
    spans = [seen.span(name) for name in ("ledger.charge", "orders.place", "checkout")]
    assert [hop.span_id for hop in chain.hops] == [format(span.context.span_id, "016x") for span in spans]
    assert {format(span.context.trace_id, "032x") for span in spans} == {chain.trace_id}
    # One id and one deadline for all: orders had used up half a second before it asked.
    assert shop.known == {"shop": ("order-42", 2.0), "orders": ("order-42", 2.0), "ledger": ("order-42", 1.5)}
    # Two questions and two answers went over the wire, and nothing in them but codes, names and ids.
    carried = [await everything.next_msg(timeout=10) for _ in range(4)]
    assert ["error-chain" in (message.headers or {}) for message in carried] == [False, False, True, True]
    assert [message for message in carried if "swordfish" in f"{message.headers}{message.data!r}"] == []


async def test_a_chain_that_came_over_http_goes_on_with_what_a_later_version_put_there(shop: Shop) -> None:
    with ScriptedServer() as proxy, httpx_instrumented():
        proxy.answers(Reply(503, {"error-chain": FROM_LATER}))

        async def charge(message: Msg) -> bytes:
            async with httpx.AsyncClient() as client:
                (await client.get(f"{proxy.url}/accounts/7")).raise_for_status()
            return b"charged"

        await shop.ledger.serve("ledger.charge", charge)
        chain = await shop.checkout_fails()
    assert [(hop.service, hop.code) for hop in chain.hops[:2]] == [
        ("proxy", "DB_UNAVAILABLE"),
        ("ledger", "HTTP_503"),
    ]
    assert chain.services_involved[2:] == ("orders", "shop")
    assert (chain.trace_id, chain.root.span_id, chain.retryable) == (TRACE, SPAN, True)
    assert chain.root.unknown == (("x-region", "eu-1"), ("x-shards", 3), ("x-note", b"\x00\x01\x02"))
    # What came with the message went on with the request.
    (asked,) = proxy.asked
    assert asked.headers["x-correlation-id"] == "order-42"
    assert asked.headers["resilience"] == "deadline=1500, chain"


@contextlib.contextmanager
def httpx_instrumented() -> Iterator[None]:
    before = _settings.use(None)
    HttpxInstrumentor().instrument()
    try:
        yield
    finally:
        HttpxInstrumentor().uninstrument()
        _settings.use(before)


async def test_work_that_has_no_time_left_is_refused_and_the_refusal_is_the_root(shop: Shop) -> None:
    async def charge(message: Msg) -> bytes:
        Deadline.check()
        return b"charged"

    await shop.ledger.serve("ledger.charge", charge)
    headers = {"resilience": "deadline=0, chain"}
    reply = await shop.near.connection.request("ledger.charge", b"", 10, headers=headers)
    chain = shop.near.errors.extract(reply.headers)
    assert chain is not None
    assert [(hop.service, hop.code, hop.kind) for hop in chain.hops] == [
        ("ledger", "DEADLINE_EXCEEDED", "rejected")
    ]


async def test_a_group_of_workers_shares_the_messages(
    shop: Shop, connect: Connect, seen: Observatory
) -> None:
    answered: list[str] = []

    def worker(name: str) -> Callable[[Msg], Awaitable[bytes]]:
        async def charge(message: Msg) -> bytes:
            answered.append(name)
            raise DomainError("DB_UNAVAILABLE")

        return charge

    other = QueueService("ledger", await connect(), seen.tracers)
    await shop.ledger.serve("ledger.charge", worker("one"), group="ledger")
    await other.serve("ledger.charge", worker("other"), group="ledger")
    for count in range(1, 21):
        chain = await shop.checkout_fails()
        assert chain.services_involved == ("ledger", "orders", "shop")
        assert len(answered) == count
    assert set(answered) == {"one", "other"}


async def test_a_message_that_fails_at_each_delivery_is_dead_with_its_chain_and_its_request(
    shop: Shop, connect: Connect
) -> None:
    jetstream = (await connect()).jetstream()
    await jetstream.add_stream(name="work", subjects=["work.>"])
    await jetstream.add_stream(name="dead", subjects=["dead.>"])
    charges = await jetstream.pull_subscribe("work.charge", durable="ledger")
    with manager.scope("order-42"):
        await jetstream.publish("work.charge", b"3 EUR", headers={**outgoing_headers(), "Tenant": "acme"})

    for delivery in range(1, DELIVERIES):
        (message,) = await charges.fetch(1, timeout=10)
        assert message.metadata.num_delivered == delivery
        await message.nak()
    (message,) = await charges.fetch(1, timeout=10)
    assert message.metadata.num_delivered == DELIVERIES
    with shop.ledger.in_hand(message):
        headers = dict(message.headers or {})
        shop.ledger.fail(DomainError("CARD_REFUSED"), message.subject, headers)
        await jetstream.publish("dead.charge", message.data, headers=headers)
    await message.term()

    (letter,) = await (await jetstream.pull_subscribe("dead.charge", durable="orders")).fetch(1, timeout=10)
    assert (letter.data, (letter.headers or {})["Tenant"]) == (b"3 EUR", "acme")
    with shop.orders.in_hand(letter):
        assert manager.current() == "order-42"
        received = shop.orders.errors.extract(letter.headers)
        assert received is not None
        headers = outgoing_headers()
        shop.orders.fail(RemoteError(received), letter.subject, headers)
        await jetstream.publish("dead.order", b"", headers=headers)

    (told,) = await (await jetstream.pull_subscribe("dead.order", durable="shop")).fetch(1, timeout=10)
    with shop.near.in_hand(told):
        assert manager.current() == "order-42"
    arrived = shop.near.errors.extract(told.headers)
    assert arrived is not None
    assert arrived.services_involved == ("ledger", "orders")
    assert (arrived.root_cause_code, arrived.root.operation) == ("CARD_REFUSED", "work.charge")


HOSTILE = {
    "garbled": ("error-chain", '"ledger";c=', "malformed"),
    "no code": ("error-chain", '"ledger"', "malformed"),
    "a lower-case code": ("error-chain", '"ledger";c=oops', "malformed"),
    "too many hops": ("error-chain", ", ".join(['"a";c=X'] * 9), "malformed"),
    "too large": ("error-chain", '"a";c=X, ' * 300, "oversized"),
    "no ASCII": ("Error-Chain", '"ledger";c=ÖDE', "malformed"),
    "a deadline that is no number": ("resilience", "deadline=soon", "malformed"),
    "a deadline below zero": ("RESILIENCE", "deadline=-1", "malformed"),
    "a large field": ("resilience", "a, " * 1000, "oversized"),
    "an id with a space": ("x-correlation-id", "order 42", "malformed"),
    "an id that is too long": ("X-Correlation-ID", "x" * 129, "malformed"),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_header_is_ignored_and_counted(name: str, shop: Shop, seen: Observatory) -> None:
    header, value, reason = HOSTILE[name]

    async def charge(message: Msg) -> bytes:
        shop.note("ledger")
        assert shop.ledger.errors.extract(message.headers or {}) is None
        return b"charged"

    await shop.ledger.serve("ledger.charge", charge)
    reply = await shop.near.connection.request("ledger.charge", b"", 10, headers={header: value})
    assert (reply.data, reply.headers) == (b"charged", None)
    correlation_id, deadline = shop.known["ledger"]
    assert correlation_id is not None
    assert len(correlation_id) == 32
    assert deadline is None
    assert seen.points(DISCARDED) == {attributes(resilience__discard__reason=reason): 1}
