"""A stream of Kyutai's voice: servers that are none, nonsense in mid-reply, and what is sent."""

import asyncio
from contextlib import suppress
from typing import Any

import msgpack
import pytest
from aiohttp import web
from livekit.agents import APIConnectionError, APIError, APITimeoutError
from livekit.plugins.kyutai import TTS, messages
from livekit.plugins.kyutai.messages import MAX_MESSAGE
from livekit.plugins.kyutai.server import MoshiServer

from tests.conformance.kit.bench import options
from tests.support.moshi.fake_tts import PATH
from tests.support.moshi.scripted import scripted, sends, serving

pytestmark = pytest.mark.unit

SOON = 10.0
READY = {"type": "Ready"}
AUDIO = {"type": "Audio", "pcm": [0.25] * 1920}
TEXT = "Hello there."


async def speak(url: str, **arguments: Any) -> APIError:
    """Return the error that speaking at an address ends with."""
    plugin = TTS(base_url=url, **arguments)
    stream = plugin.stream(conn_options=options(0.5))
    stream.push_text(TEXT)
    stream.end_input()
    with pytest.raises(APIError) as raised:
        async with asyncio.timeout(SOON):
            async for _ in stream:
                continue
    await stream.aclose()
    await plugin.aclose()
    return raised.value


async def test_a_web_server_at_the_address() -> None:
    async def page(_: web.Request) -> web.Response:
        return web.Response(text="<html>")

    app = web.Application()
    app.router.add_get("/{path:.*}", page)
    async with serving(app) as address:
        error = await speak(address)
    assert "is it a moshi-server" in error.message and not error.retryable


async def test_a_redirect_does_not_take_the_key_elsewhere() -> None:
    keys: list[str | None] = []

    async def elsewhere(request: web.Request) -> web.Response:
        keys.append(request.headers.get("kyutai-api-key"))
        return web.Response()

    other = web.Application()
    other.router.add_route("*", "/{path:.*}", elsewhere)
    async with serving(other) as target:

        async def redirect(_: web.Request) -> web.Response:
            raise web.HTTPTemporaryRedirect(f"{target}/stolen")

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", redirect)
        async with serving(app) as address:
            error = await speak(address)
            assert not error.retryable
            server = MoshiServer(address, "public_token")
            with pytest.raises(APIError):
                async with server.post(PATH, body=b"", content_type="text/plain", timeout=SOON):
                    pytest.fail("it followed")
            await server.aclose()
    assert keys == []


async def test_something_else_at_the_address() -> None:
    async def mail(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        await reader.read(1000)
        writer.close()

    server = await asyncio.start_server(mail, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    error = await speak(f"http://127.0.0.1:{port}")
    server.close()
    assert isinstance(error, APIConnectionError) and "cannot be reached" in error.message


@pytest.mark.parametrize(
    "frames",
    [
        [{"type": "Audio", "pcm": [float("nan")] * 1920}],
        [{"type": "Audio", "pcm": b"\0" * 1920}],
        [{"type": "Audio"}],
        [AUDIO, b"\x81\xa4type"],
        [AUDIO, bytes(2 * MAX_MESSAGE)],
        [AUDIO, {"type": "Text", "text": 5}],
        [AUDIO, {"type": "Error", "message": "x" * 10_000}],
        [AUDIO, "a text frame"],
    ],
)
async def test_nonsense_in_mid_reply_is_an_error(frames: list[object]) -> None:
    async with scripted(sends(READY, *frames)) as server:
        error = await speak(server.url)
    assert not isinstance(error, APITimeoutError)
    assert len(error.message) < 500
    assert error.retryable is (len(frames) == 1)


async def test_speech_without_an_end_is_an_error() -> None:
    second = msgpack.packb({"type": "Audio", "pcm": [0.25] * 24_000}, use_single_float=True)

    async def script(socket: web.WebSocketResponse) -> None:
        await socket.send_bytes(msgpack.packb(READY))
        with suppress(ConnectionError):
            while True:
                await socket.send_bytes(second)

    async with scripted(script) as server:
        error = await speak(server.url)
    # "Hello there." has two words.
    assert "51 s of speech came for 2 words" in error.message and not error.retryable


@pytest.mark.parametrize(
    "frame",
    [
        {"type": "Text", "text": "so", "start_s": 0.1, "stop_s": 0.2},
        {"type": "Text", "text": "so" * 10_000, "start_s": 0.1, "stop_s": 0.2},
        {"type": "Audio", "pcm": []},
        {"type": "Later", "x": 1},
        READY,
    ],
    ids=["words", "long words", "no samples", "unknown", "ready"],
)
async def test_messages_without_an_end_are_an_error(frame: dict[str, Any]) -> None:
    """Each of them is a sign of life, so that no limit on silence ends this."""

    async def script(socket: web.WebSocketResponse) -> None:
        await socket.send_bytes(msgpack.packb(READY))
        with suppress(ConnectionError):
            while True:
                await socket.send_bytes(msgpack.packb(frame))
                # What fits into the kernel's buffers would keep the loop until it is full.
                await asyncio.sleep(0)

    async with scripted(script) as server:
        error = await speak(server.url)
    assert "did not stop" in error.message


async def test_messages_of_a_later_version_are_passed_over() -> None:
    async def script(socket: web.WebSocketResponse) -> None:
        for frame in (READY, READY, {"type": "Later", "x": 1}, AUDIO):
            await socket.send_bytes(msgpack.packb(frame))
        while (await socket.receive()).data != messages.eos():
            continue
        await socket.close()

    async with scripted(script) as server:
        plugin = TTS(base_url=server.url)
        stream = plugin.stream(conn_options=options(SOON))
        stream.push_text(TEXT)
        stream.end_input()
        seconds = sum([event.frame.duration async for event in stream])
        await stream.aclose()
        await plugin.aclose()
    assert seconds == pytest.approx(0.08)


async def test_each_frame_of_the_server_is_passed_on_whole() -> None:
    """What were gathered first would leave little in hand: a slow moment would tear the sound."""

    async def script(socket: web.WebSocketResponse) -> None:
        await socket.send_bytes(msgpack.packb(READY))
        for _ in range(3):
            await socket.send_bytes(msgpack.packb(AUDIO))
        async for _ in socket:
            continue

    async with scripted(script) as server:
        plugin = TTS(base_url=server.url)
        stream = plugin.stream(conn_options=options(SOON))
        stream.push_text(TEXT)
        async with asyncio.timeout(SOON):
            durations = [(await anext(stream)).frame.duration for _ in range(3)]
        await stream.aclose()
        await plugin.aclose()
    # The framework keeps 10 ms, to be able to say which is the last.
    assert durations == pytest.approx([0.07, 0.08, 0.08])


async def test_eos_is_sent_once_and_last() -> None:
    received: list[Any] = []

    async def script(socket: web.WebSocketResponse) -> None:
        await socket.send_bytes(msgpack.packb(READY))
        await socket.send_bytes(msgpack.packb(AUDIO))
        async for frame in socket:
            received.append(msgpack.unpackb(frame.data))
            if received[-1]["type"] == "Eos":
                # Long enough for another one to come.
                await asyncio.sleep(0.05)
                await socket.close()

    async with scripted(script) as server:
        plugin = TTS(base_url=server.url)
        stream = plugin.stream(conn_options=options(SOON))
        stream.flush()
        for piece in ("Hel", "lo th", "ere. ", "You", " "):
            stream.push_text(piece)
        stream.flush()
        stream.flush()
        stream.end_input()
        async for _ in stream:
            continue
        await stream.aclose()
        await plugin.aclose()
    assert [message.get("text") for message in received] == ["Hello", "there.", "You", None]
    assert received[-1] == {"type": "Eos"}
