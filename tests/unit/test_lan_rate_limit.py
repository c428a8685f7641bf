import asyncio
import logging
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from agent.web.app import create_app
from agent.web.rate_limit import MAX_CLIENTS, RateLimit, rate_limiting
from tests.unit.test_web_app import settings

pytestmark = pytest.mark.unit

Client = TestClient[Any, Any]

FLOOD = 10_000
CONNECTIONS = 20
REQUEST = b"POST /token HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n"


class Clock:
    """Time that passes when the test says so."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_passes_and_then_one_at_a_time() -> None:
    clock = Clock()
    limit = RateLimit(per_minute=10, burst=5, clock=clock)
    assert [limit.take("a") for _ in range(5)] == [0] * 5
    assert limit.take("a") == pytest.approx(6)
    clock.now += 5
    assert limit.take("a") == pytest.approx(1)
    clock.now += 1.01
    assert limit.take("a") == 0
    assert limit.take("a") > 0


def test_silence_earns_no_more_than_a_burst() -> None:
    clock = Clock()
    limit = RateLimit(per_minute=10, burst=2, clock=clock)
    limit.take("a")
    clock.now += 3600
    assert [limit.take("a") > 0 for _ in range(3)] == [False, False, True]


def test_clients_do_not_suffer_from_each_other() -> None:
    limit = RateLimit(per_minute=10, burst=1, clock=Clock())
    limit.take("a")
    assert limit.take("a") > 0
    assert limit.take("b") == 0


def test_memory_is_bounded_and_whoever_keeps_asking_is_remembered() -> None:
    limit = RateLimit(per_minute=1, burst=1, clock=Clock())
    limit.take("stubborn")
    for number in range(3 * MAX_CLIENTS):
        limit.take(f"client {number}")
        if number % 1000 == 0:
            assert limit.take("stubborn") > 0
    assert len(limit) == MAX_CLIENTS


def test_the_log_tells_once_and_names_no_address(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    limit = RateLimit(per_minute=60, burst=1, clock=clock)
    for _ in range(100):
        limit.take("192.168.1.77")
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "192.168" not in caplog.text
    clock.now += 2
    limit.take("192.168.1.77")
    limit.take("192.168.1.77")
    assert len(caplog.records) == 2


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async def handler(request: web.Request) -> web.Response:
        return web.Response()

    limit = RateLimit(per_minute=10, burst=1, clock=Clock())
    app = web.Application(middlewares=[rate_limiting(limit)])
    app.router.add_route("*", "/token", handler)
    async with TestClient(TestServer(app)) as client:
        yield client


async def test_a_refusal_says_when_to_come_back(client: Client) -> None:
    await client.post("/token")
    refused = await client.post("/token", headers={"Origin": "http://localhost:5173"})
    assert refused.status == 429
    assert refused.headers["Retry-After"] == "6"
    assert refused.headers["Cache-Control"] == "no-store"
    assert refused.headers["Access-Control-Allow-Origin"] == "http://localhost:5173"
    assert await refused.json() == {
        "error": "Too many requests from this address; try again in 6 seconds."
    }


async def test_only_posts_count(client: Client) -> None:
    for _ in range(5):
        assert (await client.get("/token")).status == 200
        assert (await client.options("/token")).status == 200
    assert (await client.post("/token")).status == 200


async def flood(port: int) -> int:
    """Ask for a token as fast as one connection allows; return how many requests were refused."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(REQUEST * (FLOOD // CONNECTIONS))
    refused = 0
    try:
        for _ in range(FLOOD // CONNECTIONS):
            head = await reader.readuntil(b"\r\n\r\n")
            refused += head.startswith(b"HTTP/1.1 429 ")
            length = next(line for line in head.split(b"\r\n") if line.startswith(b"Content-Len"))
            await reader.readexactly(int(length.split()[1]))
    finally:
        writer.close()
        await writer.wait_closed()
    return refused


async def test_ten_thousand_requests_are_refused_while_the_page_is_served() -> None:
    async with TestClient(TestServer(create_app(settings()))) as client:
        assert client.port
        flooding = asyncio.gather(*(flood(client.port) for _ in range(CONNECTIONS)))
        slowest, served = 0.0, 0
        while not flooding.done():
            began = time.perf_counter()
            assert (await client.get("/healthz")).status == 200
            slowest, served = max(slowest, time.perf_counter() - began), served + 1
        refused = sum(await flooding)
    # Some pass: a burst, and what is earned meanwhile.
    assert FLOOD - 1000 < refused < FLOOD
    assert served >= 3
    assert slowest < 2
