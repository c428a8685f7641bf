"""Servers that send anything at all: each stream ends as it should, or with an `APIError`."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

import msgpack
import pytest
from livekit import rtc
from livekit.agents import APIError
from livekit.plugins import kyutai
from livekit.plugins.kyutai.stt import PATH as HEARING
from livekit.plugins.kyutai.tts import PATH as SPEAKING

from tests.conformance.kit.bench import nothing_left, options
from tests.support.moshi.scripted import Script, scripted, sends

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
