"""The connection to a moshi-server: how it begins, and every way it ends."""

import asyncio
from typing import Any

import msgpack
import pytest
from aiohttp import WSMsgType, web
from livekit.agents import APIConnectionError, APIError, APIStatusError, APITimeoutError
from livekit.plugins.kyutai import messages
from livekit.plugins.kyutai.connection import Connection, Endpoint, State, connect, open_connection
from livekit.plugins.kyutai.messages import MAX_MESSAGE
from livekit.plugins.kyutai.server import MoshiServer

from tests.conformance.kit.bench import nothing_left
from tests.support.moshi.fake_tts import PATH
from tests.support.moshi.scripted import Script, scripted, sends, serving

pytestmark = pytest.mark.unit

SOON = 10.0
READY = {"type": "Ready"}


def opened(server: MoshiServer, timeout: float = SOON, **keys: Any) -> Any:
    return open_connection(server, Endpoint(PATH, **keys), timeout=timeout)


FULL = sends({"type": "Error", "message": "no free channels"}, then="close")


async def test_messages_before_ready_are_passed_over() -> None:
    stray = {"type": "Text", "text": "old", "start_s": 0, "stop_s": 1}
    async with scripted(sends(stray, {"type": "Later"}, READY)) as server:
        connection = await opened(server)
        assert connection.state is State.STREAMING
        await connection.aclose()


async def test_too_many_messages_before_ready() -> None:
    stray = {"type": "Later"}
    async with scripted(sends(*[stray] * 10, READY)) as server:
        with pytest.raises(APIConnectionError, match="did not say that it is ready"):
            await opened(server)


@pytest.mark.parametrize(
    ("script", "error", "said"),
    [
        (sends(then="close"), APIConnectionError, "ended too early"),
        (sends(then="end"), APIConnectionError, "was lost"),
        (sends({"type": "Error", "message": "on fire"}), APIError, "failed: on fire"),
        (sends(b"\xc1"), APIConnectionError, "no msgpack"),
        (sends("hello"), APIConnectionError, "not binary"),
        (sends(bytes(MAX_MESSAGE + 100)), APIConnectionError, "broke the protocol"),
    ],
)
async def test_what_comes_instead_of_ready_is_an_error(
    script: Script, error: type[APIError], said: str
) -> None:
    async with scripted(script) as server:
        with pytest.raises(error, match=said) as raised:
            await opened(server)
        assert raised.value.retryable


async def test_nothing_instead_of_ready_is_a_timeout() -> None:
    async with scripted(sends()) as server:
        with pytest.raises(APITimeoutError) as raised:
            await opened(server, timeout=0.1)
        assert raised.value.retryable


async def test_a_slot_is_asked_for_again() -> None:
    async with scripted(FULL, FULL, sends(READY)) as server:
        connection = await opened(server)
        assert connection.state is State.STREAMING
        await connection.aclose()


async def test_no_slot_after_several_attempts() -> None:
    async with scripted(FULL) as server:
        loop = asyncio.get_running_loop()
        began = loop.time()
        with pytest.raises(APIStatusError) as raised:
            await opened(server)
        assert loop.time() - began >= 0.8 * 0.7
        assert raised.value.status_code == 503 and raised.value.retryable


async def test_the_end_is_the_close_after_draining() -> None:
    async def script(socket: web.WebSocketResponse) -> None:
        await socket.send_bytes(msgpack.packb(READY))
        await socket.receive()
        await socket.send_bytes(msgpack.packb({"type": "Audio", "pcm": [0.5]}))
        await socket.close()

    async with (
        scripted(script) as server,
        connect(server, Endpoint(PATH), timeout=SOON) as connection,
    ):
        connection.drain(SOON)
        await connection.send(messages.eos())
        assert isinstance(await connection.receive(), messages.Audio)
        assert await connection.receive() is None
        assert connection.state is State.DONE
        assert await connection.receive() is None


@pytest.mark.parametrize(("ends_by_drop", "draining"), [(False, True), (True, False)])
async def test_a_line_that_just_ends_is_lost(ends_by_drop: bool, draining: bool) -> None:
    async with scripted(sends(READY, then="end")) as server:
        connection = await opened(server, ends_by_drop=ends_by_drop)
        if draining:
            connection.drain(SOON)
        with pytest.raises(APIConnectionError, match="was lost"):
            await connection.receive()
        await connection.aclose()


async def test_a_line_that_just_ends_is_the_end_of_what_ends_so() -> None:
    async with scripted(sends(READY, then="end")) as server:
        connection = await opened(server, ends_by_drop=True)
        connection.drain(SOON)
        assert await connection.receive() is None
        await connection.aclose()


async def test_pings_are_answered_and_are_no_progress() -> None:
    pongs = asyncio.Event()

    async def script(socket: web.WebSocketResponse) -> None:
        await socket.send_bytes(msgpack.packb(READY))
        pinging = asyncio.create_task(ping(socket))
        async for frame in socket:
            if frame.type is WSMsgType.PONG:
                pongs.set()
        pinging.cancel()

    async def ping(socket: web.WebSocketResponse) -> None:
        while True:
            await socket.ping()
            await asyncio.sleep(0.02)

    async def serve(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(autoping=False, timeout=0.1)
        await socket.prepare(request)
        await script(socket)
        return socket

    app = web.Application()
    app.router.add_get(PATH, serve)
    async with serving(app) as address:
        server = MoshiServer(address, "public_token")
        connection = await opened(server)
        receiving = asyncio.create_task(connection.receive())
        async with asyncio.timeout(SOON):
            await pongs.wait()
        assert not receiving.done()
        # The limit counts for a `receive` that waits already.
        connection.expect(0.1)
        with pytest.raises(APITimeoutError):
            await asyncio.wait_for(receiving, SOON)
        await connection.aclose()
        await server.aclose()


async def test_closing_is_quick_however_much_still_comes() -> None:
    async def script(socket: web.WebSocketResponse) -> None:
        await socket.send_bytes(msgpack.packb(READY))
        frame = msgpack.packb({"type": "Audio", "pcm": [0.5] * 1920})
        try:
            while True:
                await socket.send_bytes(frame)
                await asyncio.sleep(0)
        except ConnectionError:
            return

    async with scripted(script) as server:
        connection = await opened(server)
        await connection.receive()
        loop = asyncio.get_running_loop()
        began = loop.time()
        await connection.aclose()
        assert loop.time() - began < 1.0
        with pytest.raises(APIConnectionError, match="was closed"):
            await connection.send(messages.eos())


async def test_whoever_is_cancelled_while_closing_leaves_nothing() -> None:
    async with scripted(sends(READY)) as server, nothing_left():
        connection = await opened(server)
        closing = asyncio.create_task(connection.aclose())
        await asyncio.sleep(0)
        closing.cancel()
        await asyncio.wait([closing])
        await server.aclose()


@pytest.mark.parametrize("stage", range(1, 40))
async def test_whoever_is_cancelled_while_connecting_leaves_nothing(stage: int) -> None:
    async with scripted(sends(READY)) as server, nothing_left():
        connecting = asyncio.create_task(opened(server))
        for _ in range(stage):
            await asyncio.sleep(0)
        connecting.cancel()
        await asyncio.wait([connecting])
        if not connecting.cancelled():
            connection: Connection = connecting.result()
            await connection.aclose()
        await server.aclose()
