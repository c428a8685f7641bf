"""Text to speech through the engine."""

import asyncio
import time
import weakref
from dataclasses import dataclass, replace
from typing import Any, Literal

from livekit.agents import (
    DEFAULT_API_CONNECT_OPTIONS,
    NOT_GIVEN,
    APIConnectionError,
    APIConnectOptions,
    APIError,
    NotGivenOr,
    tts,
    utils,
)
from livekit.agents.types import TimedString
from livekit.agents.utils import is_given
from livekit.plugins.local.client import EngineConnection, EngineStream, api_errors, run_with
from livekit.plugins.local.protocol import TTS_PATH, TTS_SAMPLE_RATE, TtsStart
from livekit.plugins.local.registration import register
from livekit.plugins.local.watchdog import Watchdog

register()

_BLANK = bytes(2 * TTS_SAMPLE_RATE // 50)
"""20 ms of silence: the answer to text that cannot be spoken, such as an emoji."""


@dataclass(frozen=True, slots=True)
class _Options:
    language: str
    voice: str | None
    speed: float


class TTS(tts.TTS[Literal["broken_off", "clause_started"]]):
    """Streaming text to speech by a shared engine process: 24 kHz, 16-bit, mono.

    Besides the framework's events it emits, without arguments, ``clause_started`` when the engine
    begins with a clause, and ``broken_off`` when a reply ended after its first audio and before its
    last: no fallback speaks the rest.
    """

    def __init__(
        self,
        *,
        engine: str,
        language: str = "en",
        voice: str | None = None,
        speed: float = 1.0,
    ) -> None:
        """Create the plugin; it connects when the first text comes.

        Args:
            engine: Address of the engine, ``unix:PATH`` or ``http://HOST:PORT``.
            language: Two-letter code of the language of the text.
            voice: ``engine/name``; None lets the engine choose by language.
            speed: 0.5 to 2; 1 is the voice's own rate.
        """
        super().__init__(
            capabilities=tts.TTSCapabilities(streaming=True, aligned_transcript=True),
            sample_rate=TTS_SAMPLE_RATE,
            num_channels=1,
        )
        self._connection = EngineConnection(engine)
        self._options = _Options(language, voice, speed)
        self._streams: weakref.WeakSet[SynthesizeStream] = weakref.WeakSet()

    @property
    def model(self) -> str:
        """The voice, or the language whose voice the engine chooses."""
        return self._options.voice or f"voice:{self._options.language}"

    @property
    def provider(self) -> str:
        """Always ``local``."""
        return "local"

    @property
    def language(self) -> str:
        """Language of the streams opened from now on."""
        return self._options.language

    def update_options(
        self,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        voice: NotGivenOr[str | None] = NOT_GIVEN,
        speed: NotGivenOr[float] = NOT_GIVEN,
    ) -> None:
        """Change language, voice or speed of streams opened from now on."""
        options = self._options
        self._options = replace(
            options,
            language=language if is_given(language) else options.language,
            voice=voice if is_given(voice) else options.voice,
            speed=speed if is_given(speed) else options.speed,
        )

    def stream(
        self, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> "SynthesizeStream":
        """Open a stream; it keeps the options of this moment."""
        stream = SynthesizeStream(self, self._connection, self._options, conn_options)
        self._streams.add(stream)
        return stream

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> tts.ChunkedStream:
        """Speak a whole text, by the same path as a stream."""
        return self._synthesize_with_stream(text, conn_options=conn_options)

    async def aclose(self) -> None:
        """Close every stream and the connection."""
        await asyncio.gather(*(stream.aclose() for stream in list(self._streams)))
        await self._connection.aclose()


class SynthesizeStream(tts.SynthesizeStream):
    """One reply, spoken while it is still being written."""

    def __init__(
        self,
        plugin: TTS,
        connection: EngineConnection,
        options: _Options,
        conn_options: APIConnectOptions,
    ) -> None:
        super().__init__(tts=plugin, conn_options=conn_options)
        self._connection = connection
        self._options = options
        self._text_ended = False
        self._spoke = False
        self._captioned = ""

    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        output_emitter.initialize(
            request_id=utils.shortuuid(),
            sample_rate=TTS_SAMPLE_RATE,
            num_channels=1,
            mime_type="audio/pcm",
            stream=True,
        )
        try:
            async with api_errors(self._connection.address):
                await self._speak(output_emitter)
        except APIError as error:
            # Whatever failed: another attempt would say again what was heard already.
            error.retryable = error.retryable and not self._spoke
            if self._spoke:
                self._tts.emit("broken_off")
            raise

    async def _speak(self, emitter: tts.AudioEmitter) -> None:
        self._text_ended = self._spoke = False
        self._captioned = ""
        # A turn that only calls a tool opens a stream and never writes to it.
        first = await self._first_text()
        if first is None:
            return
        self._mark_started()
        began = time.perf_counter()
        options = self._options
        start = TtsStart(language=options.language, voice=options.voice, speed=options.speed)
        async with self._connection.stream(
            TTS_PATH, start, timeout=self._conn_options.timeout
        ) as engine:
            self._acquire_time = time.perf_counter() - began
            emitter.start_segment(segment_id=utils.shortuuid())
            watchdog = Watchdog("audio", self._conn_options.timeout)
            await run_with(
                self._receive(engine, emitter, watchdog),
                self._forward(engine, first, watchdog),
                watchdog.watch(),
            )
            emitter.end_segment()

    async def _first_text(self) -> str | None:
        async for item in self._input_ch:
            if isinstance(item, str) and item.strip():
                return item
        return None

    async def _forward(self, engine: EngineStream, first: str, watchdog: Watchdog) -> None:
        await engine.send({"type": "text", "text": _encodable(first)})
        async for item in self._input_ch:
            if isinstance(item, str):
                await engine.send({"type": "text", "text": _encodable(item)})
            else:
                await engine.send({"type": "flush"})
        self._text_ended = True
        await engine.send({"type": "end"})
        watchdog.expect()

    async def _receive(
        self, engine: EngineStream, emitter: tts.AudioEmitter, watchdog: Watchdog
    ) -> None:
        """Pass the audio on; the engine may fall silent only while it waits for text."""
        while (message := await engine.receive()) is not None:
            if isinstance(message, bytes):
                self._spoke = True
                watchdog.progress()
                emitter.push(message)
                # The framework counts delivered audio before it retries; let it see this.
                await asyncio.sleep(0)
            elif message["type"] == "segment":
                watchdog.expect()
                self._tts.emit("clause_started")
            elif message["type"] == "words":
                self._caption(emitter, message["words"])
            elif message["type"] == "segment_end" and not self._text_ended:
                watchdog.settle()
            elif message["type"] == "done":
                break
        else:
            raise APIConnectionError("the speech engine ended too early")
        if not self._spoke:
            emitter.push(_BLANK)

    def _caption(self, emitter: tts.AudioEmitter, words: list[dict[str, Any]]) -> None:
        """Pass the words on; clauses come without the white space between them."""
        for word in words:
            text = word["text"]
            if self._captioned[-1:].strip():
                text = f" {text}"
            self._captioned = text
            emitter.push_timed_transcript(
                TimedString(text, start_time=word["start"], end_time=word["end"])
            )


def _encodable(text: str) -> str:
    """Drop halves of characters, with which a model's token may end: UTF-8 has none."""
    return text.encode("utf-8", "ignore").decode()
