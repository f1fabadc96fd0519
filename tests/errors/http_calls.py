"""One request by each HTTP client, in both worlds, behind one signature."""

from __future__ import annotations

import asyncio
import ssl
import urllib.request
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import ModuleType
from typing import Any

import aiohttp
import httpx
import httpx2
import requests
import urllib3


class Trust:
    """What a client needs to trust an authority: some want a context, some a file."""

    def __init__(self, context: ssl.SSLContext, file: Path) -> None:
        self.context = context
        self.file = str(file)


#: To a URL, with a time limit in seconds for connecting and for each read.
Call = Callable[[str, float, Trust | None], object]


def _requests(url: str, seconds: float, trust: Trust | None) -> object:
    with requests.Session() as session:
        return session.get(url, timeout=seconds, verify=trust.file if trust else True).content


def _urllib3(retries: int | bool) -> Call:
    def call(url: str, seconds: float, trust: Trust | None) -> object:
        with urllib3.PoolManager(ca_certs=trust.file if trust else None) as pool:
            return pool.request("GET", url, timeout=seconds, retries=retries).data

    return call


def _urllib(url: str, seconds: float, trust: Trust | None) -> object:
    with urllib.request.urlopen(url, timeout=seconds, context=trust and trust.context) as answer:
        return answer.read()


def _httpx(library: ModuleType) -> Call:
    def call(url: str, seconds: float, trust: Trust | None) -> object:
        with library.Client(timeout=seconds, verify=trust.context if trust else True) as client:
            return client.get(url).content

    return call


def _async(call: Callable[[str, float, Trust | None], Coroutine[Any, Any, object]]) -> Call:
    return lambda url, seconds, trust: asyncio.run(call(url, seconds, trust))


def _async_httpx(library: ModuleType) -> Call:
    async def call(url: str, seconds: float, trust: Trust | None) -> object:
        async with library.AsyncClient(timeout=seconds, verify=trust.context if trust else True) as client:
            return (await client.get(url)).content

    return _async(call)


async def _aiohttp(url: str, seconds: float, trust: Trust | None) -> object:
    limits = aiohttp.ClientTimeout(total=None, sock_connect=seconds, sock_read=seconds)
    async with (
        aiohttp.ClientSession(timeout=limits) as session,
        session.get(url, ssl=trust.context if trust else True) as answer,
    ):
        return await answer.read()


CALLS: dict[str, Call] = {
    "requests": _requests,
    "urllib3": _urllib3(False),
    "urllib3 with retries": _urllib3(1),
    "urllib": _urllib,
    "httpx": _httpx(httpx),
    "httpx async": _async_httpx(httpx),
    "httpx2": _httpx(httpx2),
    "httpx2 async": _async_httpx(httpx2),
    "aiohttp": _async(_aiohttp),
}
