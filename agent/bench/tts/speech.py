"""One reply through the plugin, and what a listener would have heard of it."""

import asyncio
import itertools
import re
import time
from collections.abc import Iterable
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from livekit.agents import APIConnectOptions, tts
from livekit.agents.types import USERDATA_TIMED_TRANSCRIPT
from livekit.plugins import local

from agent.bench.tts.words import Word
from agent.caller.tasks import stop as stop_tasks

TOKENS_PER_SECOND = 30.0
"""The pace of the shipped language model on two cores."""

# Words with the space before them, at most six characters at a time: about what tokens are.
_TOKENS = re.compile(r"\s*\S{1,6}")
_OPTIONS = APIConnectOptions(max_retry=0, timeout=60.0)
_NEVER_SAID_SO = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of audio: when it came, in seconds since the reply began, and how long it lasts."""

    at: float
    seconds: float


@dataclass(slots=True)
class Speech:
    """A reply as it came out of the plugin.

    Attributes:
        chunks: Its audio, in order.
        pcm: The same, as s16le mono.
        rate: Sample rate in Hz.
        words: When each word is said, as the plugin tells the framework.
    """

    chunks: list[Chunk] = field(default_factory=list)
    pcm: bytearray = field(default_factory=bytearray)
    rate: int = 24_000
    words: list[Word] = field(default_factory=list)

    @property
    def first(self) -> float:
        """Seconds until the first audio."""
        return self.chunks[0].at

    @property
    def last(self) -> float:
        """Seconds until the last audio."""
        return self.chunks[-1].at

    @property
    def seconds(self) -> float:
        """Duration of the audio."""
        return sum(chunk.seconds for chunk in self.chunks)

    @property
    def gaps(self) -> list[float]:
        """Silences, in seconds, that a listener hears where the next chunk came too late."""
        return gaps(self.chunks)


def gaps(chunks: Iterable[Chunk]) -> list[float]:
    """Return how late chunks came for somebody who plays each as soon as it can be played."""
    late: list[float] = []
    over: float | None = None
    for chunk in chunks:
        if over is not None and chunk.at > over:
            late.append(chunk.at - over)
        over = max(chunk.at, over or 0.0) + chunk.seconds
    return late


class Speaker:
    """One voice of an engine."""

    def __init__(self, engine: str, voice: str, language: str) -> None:
        """Args: engine: Its address. voice: ``engine/name``. language: Two-letter code."""
        self.voice = voice
        self.language = language
        self._tts = local.TTS(engine=engine, language=language, voice=voice)

    async def say(self, text: str, *, pace: float | None = None, known: bool = False) -> Speech:
        """Speak.

        Args:
            text: The reply.
            pace: Tokens per second in which it is written; None: it is all there at once.
            known: The engine may have said the same before, and remember. Else a speed that
                differs by less than anybody hears keeps it from that.

        Raises:
            APIError: The engine failed.
        """
        self._tts.update_options(speed=1.0 if known else 1.0 + 1e-6 * next(_NEVER_SAID_SO))
        stream = self._tts.stream(conn_options=_OPTIONS)
        async with aclosing(stream):
            began = time.perf_counter()
            writing = asyncio.create_task(_write(stream, text, pace))
            try:
                return await _listen(stream, began)
            finally:
                await stop_tasks([writing])

    async def say_plainly(self, text: str, pace: float) -> Speech:
        """Speak as an engine does that is given whole replies: write, synthesise, then play.

        Raises:
            APIError: The engine failed.
        """
        writing = len(_TOKENS.findall(text)) / pace
        speech = await self.say(text)
        played = writing + speech.last
        return replace(speech, chunks=[Chunk(played, chunk.seconds) for chunk in speech.chunks])

    async def aclose(self) -> None:
        """Close the connection."""
        await self._tts.aclose()


async def _write(stream: tts.SynthesizeStream, text: str, pace: float | None) -> None:
    if pace is None:
        stream.push_text(text)
    else:
        loop = asyncio.get_running_loop()
        began = loop.time()
        for number, token in enumerate(_TOKENS.findall(text), 1):
            # Not a pause after each token: they would add up to a slower pace.
            await asyncio.sleep(began + number / pace - loop.time())
            stream.push_text(token)
    stream.end_input()


async def _listen(stream: tts.SynthesizeStream, began: float) -> Speech:
    speech = Speech()
    async for event in stream:
        frame = event.frame
        speech.chunks.append(Chunk(time.perf_counter() - began, frame.duration))
        speech.pcm += bytes(frame.data)
        speech.rate = frame.sample_rate
        for word in frame.userdata.get(USERDATA_TIMED_TRANSCRIPT, []):
            speech.words.append(Word(str(word), float(word.start_time), float(word.end_time)))
    return speech
