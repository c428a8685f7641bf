"""A voice that is hardly faster than speech does not break off in mid-reply."""

import asyncio
import json
from collections.abc import AsyncGenerator
from types import SimpleNamespace

import pytest
from livekit.plugins.local.engine import ws_tts
from livekit.plugins.local.engine.outbox import Outbox
from livekit.plugins.local.engine.pacing import OVERHEAD, Playback, Script, head_start
from livekit.plugins.local.engine.writing import Writing
from livekit.plugins.local.protocol import TTS_SAMPLE_RATE, TtsStart

from agent.bench.tts.corpus import REPLIES
from agent.bench.tts.speech import Chunk, gaps
from tests.support import virtual_time

pytestmark = pytest.mark.unit

CHARACTERS_PER_SECOND = 17.0
TOKENS_PER_SECOND = 30.0


class Voice:
    """Takes as long as Kokoro on two slow cores; stands in for the synthesizer."""

    def __init__(self, seconds_per_character: float) -> None:
        self._pace = seconds_per_character
        self.voices = SimpleNamespace(resolve=lambda *_: None)

    def pace(self, text: str, **_: object) -> float:
        return self._pace

    async def synthesize(self, text: str, **_: object) -> AsyncGenerator[bytes, None]:
        await asyncio.sleep(self._pace * (len(text) + OVERHEAD))
        yield bytes(2 * round(len(text) / CHARACTERS_PER_SECOND * TTS_SAMPLE_RATE))


class Socket:
    """Notes when audio came."""

    def __init__(self) -> None:
        self.chunks: list[Chunk] = []
        self.messages: list[str] = []

    async def send_str(self, text: str) -> None:
        self.messages.append(json.loads(text)["type"])

    async def send_bytes(self, pcm: bytes) -> None:
        now = asyncio.get_running_loop().time()
        self.chunks.append(Chunk(now, len(pcm) / 2 / TTS_SAMPLE_RATE))


async def spoken(
    voice: Voice, reply: str, language: str, tokens_per_second: float = TOKENS_PER_SECOND
) -> Socket:
    socket, playback = Socket(), Playback()
    writing = Writing(language, voice.pace)
    script = Script(lambda: writing.hurry(begun=playback.begun))

    async def write() -> None:
        for at in range(0, len(reply), 5):
            await asyncio.sleep(1 / tokens_per_second)
            script.grow(writing.push(reply[at : at + 5]))
        script.grow(writing.flush())
        script.end()

    writer = asyncio.create_task(write())
    await ws_tts._speak(
        socket,  # type: ignore[arg-type]
        TtsStart(language),
        script,
        playback,
        voice,  # type: ignore[arg-type]
    )
    await writer
    return socket


class Spelled:
    """Takes words for their letters; virtual time knows no threads."""

    def __call__(self, words: list[str], language: str) -> list[str]:
        return list(words)

    def known(self, words: list[str], language: str) -> bool:
        return True


@pytest.fixture(autouse=True)
def spelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("livekit.plugins.local.engine.timing.clock._TRANSCRIPTS", Spelled())


@pytest.mark.parametrize("pace", [0.001, 0.02, 0.026])
@pytest.mark.parametrize(
    ("language", "reply"), [(code, reply) for code in REPLIES for reply in REPLIES[code]]
)
def test_no_silence_between_the_clauses_of_a_slow_voice(
    language: str, reply: str, pace: float
) -> None:
    socket = virtual_time.run(spoken(Voice(pace), reply, language))
    assert [gap for gap in gaps(socket.chunks) if gap > 0.05] == []
    assert socket.messages[-1] == "done"


def test_the_rest_of_a_sentence_is_not_waited_for_in_silence() -> None:
    story = (
        "Once upon a time, in a land far away from here, there lived a princess who loved dragons, "
        "and nobody in all of the kingdom could tell why."
    )
    # Written hardly faster than it is spoken.
    socket = virtual_time.run(spoken(Voice(0.001), story, "en", tokens_per_second=5.0))
    # The whole sentence would be there 25 tokens after the first clause.
    assert max(gaps(socket.chunks)) < 2.0
    assert socket.messages.count("segment") == 4
    # Where it is written fast there is no need to.
    socket = virtual_time.run(spoken(Voice(0.001), story, "en", tokens_per_second=200.0))
    assert socket.messages.count("segment") == 2


def test_a_fast_voice_begins_at_once_and_so_does_one_that_knows_what_follows() -> None:
    known = ["This is the second clause of it.", "And this is the third."]
    assert head_start("Yes, of course.", 1.0, known, "en", lambda _: 0.001) == 0.0
    assert head_start("Yes, of course.", 1.0, known, "en", lambda _: 0.0) == 0.0
    assert head_start("Yes, of course.", 1.0, [], "en", lambda _: 0.03) == 0.0
    assert 0 < head_start("Yes, of course.", 1.0, known, "en", lambda _: 0.025) <= 0.9
    # The first piece of a clause, of which the rest follows.
    assert head_start("Yes, I can do that for you.", 0.08, known, "en", lambda _: 0.005) == 0.0


def test_what_was_said_before_a_failure_is_sent() -> None:
    socket = Socket()

    async def fail() -> None:
        async with Outbox(socket) as outbox:  # type: ignore[arg-type]
            outbox.hold(60.0)
            await outbox.put(b"\x00\x00")
            raise RuntimeError("the voice failed")

    with pytest.raises(RuntimeError):
        virtual_time.run(fail())
    assert [chunk.at for chunk in socket.chunks] == [0.0]


def test_an_interruption_sends_no_more() -> None:
    socket = Socket()

    async def interrupt() -> None:
        async def speak() -> None:
            async with Outbox(socket) as outbox:  # type: ignore[arg-type]
                outbox.hold(60.0)
                await outbox.put(b"\x00\x00")
                await asyncio.sleep(3600)

        speaking = asyncio.create_task(speak())
        await asyncio.sleep(1)
        speaking.cancel()
        await asyncio.wait({speaking})
        assert asyncio.get_running_loop().time() == pytest.approx(1)

    virtual_time.run(interrupt())
    assert socket.chunks == []
