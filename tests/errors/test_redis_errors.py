"""What the client of Redis raises, in both worlds, for a server that is away, slow or unwilling."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
import redis
import redis.asyncio
from redis.cluster import RedisCluster

from otel_resilience.errors.codes import code_of
from tests.errors import loopback
from tests.errors.fake_databases import redis_saying

#: Without what a client asks of a new connection, and without its own retries.
PLAINLY = {"protocol": 2, "retry": None, "socket_timeout": 0.2}


def _set(port: int) -> object:
    with redis.Redis(port=port, **PLAINLY) as client:
        return client.set("name", "value")


def _async_set(port: int) -> object:
    async def call() -> object:
        async with redis.asyncio.Redis(port=port, **PLAINLY) as client:
            return await client.set("name", "value")

    return asyncio.run(call())


CLIENTS: dict[str, Callable[[int], object]] = {"redis": _set, "redis async": _async_set}


@pytest.mark.parametrize("client", CLIENTS)
def test_a_server_that_is_not_there(client: str) -> None:
    with loopback.refusing() as port, pytest.raises(redis.ConnectionError) as refused:
        CLIENTS[client](port)
    assert code_of(refused.value) == "DB_UNAVAILABLE"
    with loopback.serving(loopback.closing) as port, pytest.raises(redis.ConnectionError) as closed:
        CLIENTS[client](port)
    assert code_of(closed.value) == "DB_UNAVAILABLE"
    with loopback.serving(loopback.silent) as port, pytest.raises(redis.TimeoutError) as silent:
        CLIENTS[client](port)
    assert code_of(silent.value) == "DB_TIMEOUT"


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (b"-LOADING Redis is loading the dataset in memory", "DB_UNAVAILABLE"),
        (b"-READONLY You can't write against a read only replica.", "DB_UNAVAILABLE"),
        (b"-MISCONF Redis is configured to save RDB snapshots", "DB_UNAVAILABLE"),
        (b"-NOREPLICAS Not enough good replicas to write.", "DB_UNAVAILABLE"),
        (b"-BUSY Redis is busy running a script.", "DB_UNAVAILABLE"),
        (b"-OOM command not allowed when used memory > 'maxmemory'.", "DB_UNAVAILABLE"),
        (b"-CLUSTERDOWN The cluster is down", "DB_UNAVAILABLE"),
        (b"-MASTERDOWN Link with MASTER is down", "DB_UNAVAILABLE"),
        (b"-TRYAGAIN Multiple keys request during rehashing of slot", "DB_UNAVAILABLE"),
        (b"-ERR max number of clients reached", "DB_UNAVAILABLE"),
        (b"-NOAUTH Authentication required.", "INTERNAL"),
        (b"-NOPERM this user has no permissions", "INTERNAL"),
        (b"-WRONGTYPE Operation against a key", "INTERNAL"),
        (b"-ERR unknown command", "INTERNAL"),
    ],
)
def test_a_command_that_is_refused(client: str, reply: bytes, code: str) -> None:
    with loopback.serving(redis_saying({"SET": reply})) as port, pytest.raises(redis.RedisError) as caught:
        CLIENTS[client](port)
    assert code_of(caught.value) == code


def test_a_key_that_another_has_changed() -> None:
    with (
        loopback.serving(redis_saying({"SET": b"+QUEUED", "EXEC": b"*-1"})) as port,
        redis.Redis(port=port, **PLAINLY) as client,
        client.pipeline() as commands,
        pytest.raises(redis.WatchError) as caught,
    ):
        commands.watch("name")
        commands.multi()
        commands.set("name", "value")
        commands.execute()
    assert code_of(caught.value) == "DB_CONFLICT"


def test_a_lock_that_another_has() -> None:
    with (
        loopback.serving(redis_saying({"SET": b"$-1"})) as port,
        redis.Redis(port=port, **PLAINLY) as client,
        pytest.raises(redis.exceptions.LockError) as caught,
        client.lock("name", blocking=False),
    ):
        raise AssertionError("the lock was free")
    assert code_of(caught.value) == "DB_CONFLICT"


def test_no_connection_is_left() -> None:
    with loopback.serving(redis_saying({})) as port:
        pool = redis.ConnectionPool(port=port, max_connections=1, **PLAINLY)
        with redis.Redis(connection_pool=pool, single_connection_client=True) as holding:
            holding.ping()
            with pytest.raises(redis.ConnectionError) as caught:
                redis.Redis(connection_pool=pool).ping()
        pool.disconnect()
    assert code_of(caught.value) == "POOL_EXHAUSTED"


def test_a_cluster_that_is_not_there() -> None:
    with loopback.refusing() as port, pytest.raises(redis.exceptions.RedisClusterException) as caught:
        RedisCluster(host="127.0.0.1", port=port)
    assert code_of(caught.value) == "DB_UNAVAILABLE"
