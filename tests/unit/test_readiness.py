import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web

from agent.readiness import Component, Readiness, fetch_readiness, parse_readiness
from tests.support.ports import free_port

pytestmark = pytest.mark.unit

BODY = {
    "ready": False,
    "components": {
        "stt": {"state": "downloading", "message": "", "done": 10, "total": 40},
        "tts": {"state": "failed", "message": "Set TTS_VOICES.", "done": None, "total": None},
    },
}


async def serve(
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
    make_site: Callable[[web.AppRunner], web.BaseSite],
) -> web.AppRunner:
    app = web.Application()
    app.router.add_get("/readyz", handler)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await make_site(runner).start()
    return runner


async def not_ready(_: web.Request) -> web.Response:
    return web.json_response(BODY, status=503)


def test_a_full_answer_is_read() -> None:
    assert parse_readiness(503, BODY) == Readiness(
        False,
        {
            "stt": Component("downloading", "", 10, 40),
            "tts": Component("failed", "Set TTS_VOICES."),
        },
    )


def test_the_status_decides() -> None:
    assert parse_readiness(200, None).ready
    assert not parse_readiness(503, {"ready": True}).ready


@pytest.mark.parametrize(
    "body", [None, [], {"components": None}, {"components": {"stt": 1}}, {"components": []}]
)
def test_odd_answers_have_no_components(body: object) -> None:
    assert parse_readiness(503, body) == Readiness(False)


async def test_a_tcp_and_a_unix_address_are_asked_alike(tmp_path: Path) -> None:
    port, path = free_port(), str(tmp_path / "s.sock")
    tcp = await serve(not_ready, lambda runner: web.TCPSite(runner, "127.0.0.1", port))
    unix = await serve(not_ready, lambda runner: web.UnixSite(runner, path))
    try:
        expected = parse_readiness(503, BODY)
        assert await fetch_readiness(f"http://127.0.0.1:{port}") == expected
        assert await fetch_readiness(f"unix:{path}") == expected
    finally:
        await tcp.cleanup()
        await unix.cleanup()


async def test_nobody_there_is_none(tmp_path: Path) -> None:
    assert await fetch_readiness(f"http://127.0.0.1:{free_port()}") is None
    assert await fetch_readiness(f"unix:{tmp_path}/none.sock") is None


async def test_an_answer_that_takes_too_long_is_none() -> None:
    port = free_port()

    released = asyncio.Event()

    async def late(_: web.Request) -> web.Response:
        await released.wait()
        return web.Response()

    runner = await serve(late, lambda runner: web.TCPSite(runner, "127.0.0.1", port))
    try:
        assert await fetch_readiness(f"http://127.0.0.1:{port}", timeout=0.2) is None
    finally:
        released.set()
        await runner.cleanup()


async def test_something_that_is_not_json_counts_by_its_status() -> None:
    port = free_port()

    async def rubbish(_: web.Request) -> web.Response:
        return web.Response(text="{", content_type="application/json")

    runner = await serve(rubbish, lambda runner: web.TCPSite(runner, "127.0.0.1", port))
    try:
        assert (await fetch_readiness(f"http://127.0.0.1:{port}")) == Readiness(True, settled=True)
    finally:
        await runner.cleanup()
