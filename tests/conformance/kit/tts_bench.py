"""The bench of the text-to-speech rules."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from livekit.agents import tokenize, tts
from livekit.agents.metrics import TTSMetrics

from tests.conformance.kit import deadlines
from tests.conformance.kit.bench import Bench, options
from tests.conformance.kit.rules import Broken
from tests.conformance.kit.tts_emitter import Attempt, watched_emitters
from tests.conformance.kit.tts_speech import Speech

Stream = tts.SynthesizeStream | tts.ChunkedStream


@dataclass
class TTSBench(Bench):
    """One plugin, ready to speak.

    Attributes:
        attempts: Every attempt of every stream, in order.
        metrics: The metrics events that the plugin emitted.
        errors: Its error events.
    """

    plugin: tts.TTS[Any] = field(kw_only=True)
    attempts: list[Attempt] = field(default_factory=list)
    metrics: list[TTSMetrics] = field(default_factory=list)
    errors: list[tts.TTSError] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.plugin.on("metrics_collected", self.metrics.append)
        self.plugin.on("error", self.errors.append)
        self.speaker = self._speaker()

    @property
    def streaming(self) -> bool:
        """Whether the plugin takes text while it is written; otherwise it gets sentences."""
        return self.plugin.capabilities.streaming

    def stream(
        self, *, timeout: float = deadlines.PATIENCE, retries: int = 0
    ) -> tts.SynthesizeStream:
        """Open a stream as a session would."""
        return self.speaker.stream(conn_options=options(timeout, retries))

    def chunked(
        self, text: str, *, timeout: float = deadlines.PATIENCE, retries: int = 0
    ) -> tts.ChunkedStream:
        """Ask for a whole text at once."""
        return self.plugin.synthesize(text, conn_options=options(timeout, retries))

    async def speak(
        self, *pieces: str, timeout: float = deadlines.PATIENCE, retries: int = 0
    ) -> Speech:
        """Say a reply that comes in pieces, and return what was heard."""
        stream = self.stream(timeout=timeout, retries=retries)
        for piece in pieces:
            stream.push_text(piece)
        stream.end_input()
        return await self.listen(stream)

    async def say(
        self, text: str, *, timeout: float = deadlines.PATIENCE, retries: int = 0
    ) -> Speech:
        """Say a whole text by `synthesize`, and return what was heard."""
        return await self.listen(self.chunked(text, timeout=timeout, retries=retries))

    async def listen(
        self,
        stream: Stream,
        *,
        after: Sequence[tts.SynthesizedAudio] = (),
        within: float = deadlines.CASE,
    ) -> Speech:
        """Read a stream to its end and close it.

        Args:
            stream: The stream.
            after: What was read of it before.
            within: Seconds in which it must end, well or not.

        Raises:
            Broken: It did not.
        """
        began = time.perf_counter()
        audio = list(after)
        first: float | None = None
        error: BaseException | None = None
        try:
            async with asyncio.timeout(within) as limit:
                async for event in stream:
                    first = first or time.perf_counter() - began
                    audio.append(event)
        except Exception as raised:  # noqa: BLE001 - what it is, is for the rule to judge
            if limit.expired():
                raise Broken(f"the stream was not over after {within:.1f} s") from None
            error = raised
        finally:
            took = time.perf_counter() - began
            await stream.aclose()
        return Speech(audio, error, first, took, self.ear)

    async def next_audio(self, stream: Stream) -> tts.SynthesizedAudio:
        """Return the next audio of a stream that stays open.

        Raises:
            Broken: None came.
        """
        try:
            async with asyncio.timeout(deadlines.AUDIO):
                return await anext(aiter(stream))
        except TimeoutError:
            raise Broken(f"no audio came for {deadlines.AUDIO:.0f} s") from None
        except StopAsyncIteration:
            raise Broken("the stream ended without audio") from None

    def _speaker(self) -> tts.TTS[Any]:
        """Return what a session would use: the plugin, or the framework's adapter around it."""
        if self.streaming:
            return self.plugin
        tokenizer = tokenize.blingfire.SentenceTokenizer(retain_format=True)
        return tts.StreamAdapter(tts=self.plugin, sentence_tokenizer=tokenizer)


@asynccontextmanager
async def tts_bench(bench: Bench) -> AsyncIterator[TTSBench]:
    """Put a fresh plugin on the bench."""
    plugin = bench.make()
    attempts: list[Attempt] = []
    with watched_emitters(attempts):
        try:
            yield TTSBench(
                bench.make,
                bench.server,
                bench.proxy,
                bench.soak,
                bench.change,
                bench.ear,
                plugin=plugin,
                attempts=attempts,
            )
        finally:
            await plugin.aclose()
