"""Plugins that do exactly what a test wants, to see what the framework makes of it."""

from collections.abc import Awaitable, Callable
from typing import Any, Never

from livekit.agents import DEFAULT_API_CONNECT_OPTIONS, APIConnectOptions, stt, tts
from livekit.agents.utils import AudioBuffer

RATE = 24_000

Speak = Callable[["ScriptedStream", tts.AudioEmitter], Awaitable[None]]
Say = Callable[["ScriptedChunks", tts.AudioEmitter], Awaitable[None]]
Listen = Callable[["ScriptedHearing"], Awaitable[None]]


def silence(seconds: float) -> bytes:
    """Return silence, signed 16-bit mono."""
    return bytes(2 * round(seconds * RATE))


def begin(emitter: tts.AudioEmitter, *, stream: bool = True, kind: str = "audio/pcm") -> None:
    """Initialize an emitter, and start its segment, as a plugin should."""
    emitter.initialize(
        request_id="request", sample_rate=RATE, num_channels=1, mime_type=kind, stream=stream
    )
    if stream:
        emitter.start_segment(segment_id="segment")


class ScriptedTTS(tts.TTS[Never]):
    """Each attempt to speak is the next of these functions; the last one goes on.

    Attributes:
        attempts: How many there were.
    """

    def __init__(self, *attempts: Any) -> None:
        super().__init__(
            capabilities=tts.TTSCapabilities(streaming=True), sample_rate=RATE, num_channels=1
        )
        self.attempts = 0
        self._attempts = attempts

    def next_attempt(self) -> Any:
        """Return what to do now."""
        self.attempts += 1
        return self._attempts[min(self.attempts, len(self._attempts)) - 1]

    def stream(
        self, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> "ScriptedStream":
        """Open a stream."""
        return ScriptedStream(tts=self, conn_options=conn_options)

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> "ScriptedChunks":
        """Speak a whole text."""
        return ScriptedChunks(tts=self, input_text=text, conn_options=conn_options)


class ScriptedStream(tts.SynthesizeStream):
    """What a script's function gets, with its text in ``_input_ch``."""

    _tts: ScriptedTTS

    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        await self._tts.next_attempt()(self, output_emitter)

    async def text(self) -> str:
        """Read all of the text."""
        pieces = [piece async for piece in self._input_ch]
        return "".join(piece for piece in pieces if isinstance(piece, str))

    def mark_started(self) -> None:
        """Tell the framework that the first text has been sent."""
        self._mark_started()


class ScriptedChunks(tts.ChunkedStream):
    """What a script's function gets."""

    _tts: ScriptedTTS

    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        await self._tts.next_attempt()(self, output_emitter)


class ScriptedSTT(stt.STT[Never]):
    """Each stream does what this function does.

    Attributes:
        streams: Those that were opened.
    """

    def __init__(self, listen: Listen, *, manual_flush: bool = True) -> None:
        super().__init__(
            capabilities=stt.STTCapabilities(
                streaming=True, interim_results=True, manual_flush=manual_flush
            )
        )
        self.listen = listen
        self.streams: list[ScriptedHearing] = []

    def stream(
        self,
        *,
        language: Any = None,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
    ) -> "ScriptedHearing":
        """Open a stream."""
        self.streams.append(ScriptedHearing(stt=self, conn_options=conn_options))
        return self.streams[-1]

    async def _recognize_impl(self, buffer: AudioBuffer, **_: Any) -> stt.SpeechEvent:
        raise NotImplementedError


class ScriptedHearing(stt.RecognizeStream):
    """What a script's function gets.

    Attributes:
        flushes: How many flushes `items` has seen.
    """

    _stt: ScriptedSTT
    flushes = 0

    async def _run(self) -> None:
        await self._stt.listen(self)

    async def read(self) -> None:
        """Read audio and flushes until the end of input."""
        async for item in self._input_ch:
            self.flushes += isinstance(item, self._FlushSentinel)

    def hear(self, text: str) -> None:
        """Emit a final transcript."""
        data = stt.SpeechData(language="en", text=text)  # type: ignore[arg-type]
        kind = stt.SpeechEventType.FINAL_TRANSCRIPT
        self._event_ch.send_nowait(stt.SpeechEvent(type=kind, alternatives=[data]))
