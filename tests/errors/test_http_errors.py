"""What HTTP clients raise for a peer that fails, for each client and each way to fail."""

from __future__ import annotations

import asyncio
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

import aiohttp
import httpx
import pytest
import requests
import urllib3

from otel_resilience.errors.codes import code_of
from tests.errors import loopback
from tests.errors.http_calls import CALLS, Call, Trust

HALF = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc"
HALF_CHUNK = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20\r\nabc"

#: Seconds: enough for a peer on loopback that means to answer, and soon over with one that does not.
SHORT, LONG = 0.2, 10.0

Peer = Callable[[], AbstractContextManager[int]]


@contextmanager
def nobody() -> Iterator[int]:
    yield 80


WAYS: dict[str, tuple[str, Peer, float, str]] = {
    "refused": ("http://127.0.0.1", loopback.refusing, LONG, "CONNECT_FAILED"),
    "unresolved": ("http://no-such-host.invalid", nobody, LONG, "DNS_FAILED"),
    "overrun": ("http://127.0.0.1", loopback.overrun, SHORT, "CONNECT_TIMEOUT"),
    "silent": ("http://127.0.0.1", partial(loopback.serving, loopback.silent), SHORT, "READ_TIMEOUT"),
    "pausing": ("http://127.0.0.1", partial(loopback.serving, loopback.pausing(HALF)), SHORT, "READ_TIMEOUT"),
    "closing": ("http://127.0.0.1", partial(loopback.serving, loopback.closing), LONG, "CONNECTION_LOST"),
    "resetting": ("http://127.0.0.1", partial(loopback.serving, loopback.resetting), LONG, "CONNECTION_LOST"),
    "half": (
        "http://127.0.0.1",
        partial(loopback.serving, loopback.answering(HALF)),
        LONG,
        "CONNECTION_LOST",
    ),
    "half a chunk": (
        "http://127.0.0.1",
        partial(loopback.serving, loopback.answering(HALF_CHUNK)),
        LONG,
        "CONNECTION_LOST",
    ),
    "no TLS": (
        "https://127.0.0.1",
        partial(loopback.serving, loopback.answering(b"HTTP/1.1 400 Bad Request\r\n\r\n")),
        LONG,
        "TLS_FAILED",
    ),
    "closing in the handshake": (
        "https://127.0.0.1",
        partial(loopback.serving, loopback.closing),
        LONG,
        "CONNECTION_LOST",
    ),
}


def failure(call: Call, url: str, seconds: float, trust: Trust | None = None) -> Exception:
    """What ``call`` raises; each client has its own."""
    try:
        call(url, seconds, trust)
    except Exception as error:
        return error
    raise AssertionError("the peer answered")


@pytest.fixture(scope="module")
def authority() -> loopback.Authority:
    return loopback.Authority()


@pytest.mark.parametrize("client", CALLS)
@pytest.mark.parametrize("way", WAYS)
def test_a_client_and_a_way_to_fail(client: str, way: str) -> None:
    url, peer, seconds, code = WAYS[way]
    with peer() as port:
        error = failure(CALLS[client], f"{url}:{port}/", seconds)
    assert code_of(error) == code


@pytest.mark.parametrize("client", CALLS)
def test_a_certificate_that_nobody_trusts(client: str, authority: loopback.Authority) -> None:
    with loopback.serving(authority.serving()) as port:
        error = failure(CALLS[client], f"https://127.0.0.1:{port}/", LONG)
    assert code_of(error) == "TLS_FAILED"


@pytest.mark.parametrize("client", CALLS)
def test_a_peer_that_wants_a_certificate(client: str, authority: loopback.Authority, tmp_path: Path) -> None:
    """TLS 1.3 tells it after the handshake, to whoever reads first."""
    authority.pem.write_to_path(str(tmp_path / "authority.pem"))
    trust = Trust(authority.trusting(), tmp_path / "authority.pem")
    with loopback.serving(authority.serving(asks_for_certificate=True)) as port:
        error = failure(CALLS[client], f"https://127.0.0.1:{port}/", LONG, trust)
    assert code_of(error) == "TLS_FAILED"


def test_a_failure_that_was_being_handled_is_no_cause() -> None:
    with loopback.refusing() as port:
        try:
            raise TimeoutError
        except TimeoutError:
            with pytest.raises(requests.ConnectionError) as caught:
                requests.get(f"http://127.0.0.1:{port}/", timeout=LONG)
    assert code_of(caught.value) == "CONNECT_FAILED"


def test_the_clients_own_retries_of_an_answer() -> None:
    answer = loopback.answering(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    retries = urllib3.Retry(1, status_forcelist=[503])
    with (
        loopback.serving(answer) as port,
        urllib3.PoolManager() as pool,
        pytest.raises(urllib3.exceptions.MaxRetryError) as caught,
    ):
        pool.request("GET", f"http://127.0.0.1:{port}/", retries=retries)
    assert code_of(caught.value) == "MAX_RETRIES_EXCEEDED"


def test_urllib3_has_no_connection_left() -> None:
    with (
        loopback.serving(loopback.pausing(HALF)) as port,
        urllib3.HTTPConnectionPool("127.0.0.1", port, maxsize=1, block=True) as pool,
    ):
        held = pool.urlopen("GET", "/", preload_content=False)
        with pytest.raises(urllib3.exceptions.EmptyPoolError) as caught:
            pool.urlopen("GET", "/", pool_timeout=SHORT)
        held.close()
    assert code_of(caught.value) == "POOL_EXHAUSTED"


def test_httpx_has_no_connection_left() -> None:
    with (
        loopback.serving(loopback.pausing(HALF)) as port,
        httpx.Client(
            limits=httpx.Limits(max_connections=1), timeout=httpx.Timeout(LONG, pool=SHORT)
        ) as client,
        client.stream("GET", f"http://127.0.0.1:{port}/"),
        pytest.raises(httpx.PoolTimeout) as caught,
    ):
        client.get(f"http://127.0.0.1:{port}/")
    assert code_of(caught.value) == "POOL_EXHAUSTED"


async def test_the_time_limit_of_a_whole_request_of_aiohttp() -> None:
    limit = aiohttp.ClientTimeout(total=SHORT)
    with loopback.serving(loopback.silent) as port:
        async with aiohttp.ClientSession(timeout=limit) as session:
            with pytest.raises(TimeoutError) as caught:
                await session.get(f"http://127.0.0.1:{port}/")
    assert code_of(caught.value) == "READ_TIMEOUT"


async def test_a_stream_of_asyncio_that_ends_early_and_one_that_says_nothing() -> None:
    with loopback.serving(loopback.answering(b"ab")) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"x")
        with pytest.raises(asyncio.IncompleteReadError) as early:
            await reader.readexactly(4)
        writer.close()
    assert code_of(early.value) == "CONNECTION_LOST"
    with loopback.serving(loopback.silent) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        with pytest.raises(TimeoutError) as late:
            async with asyncio.timeout(SHORT):
                await reader.read()
        writer.close()
    assert code_of(late.value) == "READ_TIMEOUT"


def test_urllib_alone() -> None:
    with pytest.raises(urllib.error.URLError) as unknown:
        urllib.request.urlopen("gopher://ledger/")
    assert code_of(unknown.value) == "INTERNAL"
