"""Servers that send anything at all: each stream ends as it should, or with an `APIError`."""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import msgpack
import pytest
from aiohttp import web
from livekit import rtc
from livekit.agents import APIError, APITimeoutError
from livekit.plugins import kyutai
from livekit.plugins.kyutai.stt import PATH as HEARING
from livekit.plugins.kyutai.tts import PATH as SPEAKING

from tests.conformance.kit.bench import nothing_left, options
from tests.support.moshi.scripted import Script, scripted, sends, serving

pytestmark = pytest.mark.unit

CASES = 150
SOON = 20.0
TIMEOUT = 0.3
READY = {"type": "Ready"}
VALID: list[dict[str, Any]] = [
    READY,
    {"type": "Audio", "pcm": [0.25] * 1920},
    {"type": "Audio", "pcm": []},
    {"type": "Text", "text": "hello", "start_s": 0.1, "stop_s": 0.4},
    {"type": "Word", "text": "hello", "start_time": 0.1},
    {"type": "EndWord", "stop_time": 0.4},
    {"type": "Step", "step_idx": 3, "prs": [0.1, 0.2, 0.9, 0.1], "buffered_pcm": 0},
    {"type": "Marker", "id": 1},
    {"type": "Later", "x": 1},
]
ODD: list[Any] = [
    *(None, True, -1, 2**63, -0.5, float("nan"), float("inf"), 1e300, "", "x" * 5000, b"\xff"),
    *([], [0.5] * 100_000, [["0.5"]], {}, {"type": "Ready"}, bytes(2_000_000)),
]


def nonsense(rng: random.Random) -> object:
    """Return a frame: valid, with odd fields, cut, or of other bytes."""
    fields = dict(rng.choice(VALID))
    kind = rng.randrange(6)
    if kind == 0:
        return fields
    if kind <= 2:
        fields[rng.choice([*fields, "extra"])] = rng.choice(ODD)
        return fields
    data = bytearray(msgpack.packb(fields))
    if kind == 3:
        return bytes(data[: rng.randrange(len(data))])
    if kind == 4:
        data[rng.randrange(len(data))] = rng.randrange(256)
        return bytes(data)
    return rng.choice([rng.randbytes(50), "a text frame", b"", bytes(2_000_000)])


def script(rng: random.Random) -> Script:
    first = [] if rng.random() < 0.1 else [READY]
    frames = [nonsense(rng) for _ in range(rng.randint(1, 6))]
    return sends(*first, *frames, then=rng.choice(["wait", "close", "end"]))


async def speak(plugin: kyutai.TTS) -> None:
    async with plugin.stream(conn_options=options(TIMEOUT)) as stream:
        stream.push_text("Hello there.")
        stream.end_input()
        async for _ in stream:
            continue


async def hear(plugin: kyutai.STT) -> None:
    async with plugin.stream(conn_options=options(TIMEOUT)) as stream:
        stream.push_frame(rtc.AudioFrame(bytes(2 * 24_000), 24_000, 1, 24_000))
        stream.flush()
        stream.end_input()
        async for _ in stream:
            continue


@pytest.mark.parametrize(
    ("path", "make", "use"), [(SPEAKING, kyutai.TTS, speak), (HEARING, kyutai.STT, hear)]
)
async def test_whatever_comes_is_an_end_or_an_api_error(
    path: str, make: Callable[..., Any], use: Callable[[Any], Awaitable[None]]
) -> None:
    rng = random.Random(11)
    scripts = [script(rng) for _ in range(CASES)]
    errors = []
    async with scripted(*scripts, listen=path) as server, nothing_left():
        plugin = make(base_url=server.url)
        async with asyncio.timeout(SOON):
            for _ in scripts:
                try:
                    await use(plugin)
                except APIError as error:
                    # That would be what `api_errors` makes of a bug.
                    assert "plugin failed" not in error.message
                    assert len(error.message) < 500
                    errors.append(error)
        await plugin.aclose()
    assert len(errors) > 0.5 * CASES


@pytest.mark.parametrize("model", ["kyutai/stt-1b-en_fr", "kyutai/stt-2.6b-en"])
async def test_a_flush_that_only_chatter_answers_is_an_error(model: str) -> None:
    async def script(socket: web.WebSocketResponse) -> None:
        await socket.send_bytes(msgpack.packb(READY))
        with suppress(ConnectionError):
            while True:
                await socket.send_bytes(msgpack.packb({"type": "Later", "x": 1}))
                await asyncio.sleep(0.001)

    async with scripted(script, listen=HEARING) as server, nothing_left():
        plugin = kyutai.STT(base_url=server.url, model=model, longest_flush=TIMEOUT)
        with pytest.raises(APITimeoutError):
            async with asyncio.timeout(SOON):
                await hear(plugin)
        await plugin.aclose()


WAV = bytes.fromhex(
    "52494646 ffffffff 57415645 666d7420 10000000 0100 0100 c05d0000 80bb0000 0200 1000"
    "64617461 ffffffff"
) + bytes(4000)
WORDS: list[dict[str, Any]] = [
    {"type": "Word", "text": "hello", "start_time": 0.1},
    {"type": "EndWord", "stop_time": 0.4},
]


def answer(rng: random.Random) -> web.Response:
    """Return the answer to a POST: as it should be, refused, odd, cut, or of other bytes."""
    fields = [dict(each) for each in WORDS]
    kind = rng.randrange(7)
    if kind == 0:
        return web.Response(status=rng.choice([204, 301, 400, 401, 404, 413, 422, 500, 503]))
    if kind <= 2:
        changed = rng.choice(fields)
        changed[rng.choice([*changed, "extra"])] = rng.choice([each for each in ODD if _json(each)])
    data = bytearray(rng.choice([WAV, json.dumps(fields).encode()]))
    if kind == 3:
        del data[rng.randrange(len(data)) :]
    elif kind == 4:
        data[rng.randrange(100)] = rng.randrange(256)
    elif kind == 5:
        data = bytearray(rng.choice([b"", b"<html>", b"[" * 100_000, rng.randbytes(5000)]))
    return web.Response(body=bytes(data))


def _json(value: object) -> bool:
    return not isinstance(value, bytes)


async def speak_whole(address: str) -> None:
    plugin = kyutai.TTS(base_url=address)
    try:
        async with plugin.synthesize("Hello there.", conn_options=options(TIMEOUT)) as stream:
            async for _ in stream:
                continue
    finally:
        await plugin.aclose()


async def hear_whole(address: str) -> None:
    plugin = kyutai.STT(base_url=address)
    try:
        frame = rtc.AudioFrame(bytes(2 * 24_000), 24_000, 1, 24_000)
        await plugin.recognize([frame], conn_options=options(TIMEOUT))
    finally:
        await plugin.aclose()


@pytest.mark.parametrize("use", [speak_whole, hear_whole])
async def test_whatever_is_answered_to_a_whole_text_or_recording(
    use: Callable[[str], Awaitable[None]],
) -> None:
    rng = random.Random(12)

    async def post(request: web.Request) -> web.Response:
        await request.read()
        return answer(rng)

    app = web.Application(client_max_size=1024**3)
    app.router.add_post("/{path:.*}", post)
    failed = 0
    async with serving(app) as address, nothing_left(), asyncio.timeout(SOON):
        for _ in range(CASES):
            try:
                await use(address)
            except APIError as error:
                assert "plugin failed" not in error.message
                assert len(error.message) < 500
                failed += 1
    assert 0.5 * CASES < failed < CASES


@pytest.mark.parametrize(
    ("use", "begin", "piece", "said"),
    [
        (speak_whole, WAV, bytes(48_000), "did not stop"),
        (speak_whole, WAV[:36], b"LIST\0\0\0\0" * 100, "no WAV file"),
        (hear_whole, b"[", b'{"type":"Later"},' * 10_000, "has no end"),
    ],
)
async def test_an_answer_without_an_end(
    use: Callable[[str], Awaitable[None]], begin: bytes, piece: bytes, said: str
) -> None:
    async def post(request: web.Request) -> web.StreamResponse:
        await request.read()
        response = web.StreamResponse()
        await response.prepare(request)
        with suppress(ConnectionError):
            await response.write(begin)
            while True:
                await response.write(piece)
                # What fits into the kernel's buffers would keep the loop until it is full.
                await asyncio.sleep(0)
        return response

    app = web.Application(client_max_size=1024**3)
    app.router.add_post("/{path:.*}", post)
    async with serving(app) as address, asyncio.timeout(SOON):
        with pytest.raises(APIError, match=said):
            await use(address)
