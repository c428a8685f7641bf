"""Speech to text through the engine."""

import asyncio
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Never

import numpy as np
from livekit import rtc
from livekit.agents import (
    DEFAULT_API_CONNECT_OPTIONS,
    NOT_GIVEN,
    APIConnectOptions,
    LanguageCode,
    NotGivenOr,
    stt,
    utils,
)
from livekit.agents.utils import AudioBuffer, is_given
from livekit.plugins.local.client import EngineConnection, EngineStream, api_errors, run_with
from livekit.plugins.local.protocol import STT_PATH, STT_SAMPLE_RATE, ProtocolError, SttStart
from livekit.plugins.local.registration import register
from livekit.plugins.local.replay import UnansweredAudio
from livekit.plugins.local.watchdog import Watchdog

register()

_USAGE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class _Options:
    languages: tuple[str, ...]
    language: str | None


class STT(stt.STT[Never]):
    """Streaming speech to text with interim transcripts, by a shared engine process."""

    def __init__(
        self,
        *,
        engine: str,
        languages: Sequence[str] = ("en",),
        language: NotGivenOr[str] = NOT_GIVEN,
        model: str = "whisper-base",
    ) -> None:
        """Create the plugin; it connects when the first stream does.

        Args:
            engine: Address of the engine, ``unix:PATH`` or ``http://HOST:PORT``.
            languages: Two-letter codes of the languages to expect, most likely first.
            language: Fixes the language, so that none is detected.
            model: Name reported in metrics; the engine decides which model it runs.
        """
        super().__init__(
            capabilities=stt.STTCapabilities(
                streaming=True, interim_results=True, offline_recognize=True, manual_flush=True
            )
        )
        self._model = model
        self._connection = EngineConnection(engine)
        self._options = _Options(tuple(languages), language if is_given(language) else None)
        self._streams: weakref.WeakSet[SpeechStream] = weakref.WeakSet()

    @property
    def model(self) -> str:
        """Name of the model."""
        return self._model

    @property
    def provider(self) -> str:
        """Always ``local``."""
        return "local"

    def update_options(
        self,
        *,
        languages: NotGivenOr[Sequence[str]] = NOT_GIVEN,
        language: NotGivenOr[str | None] = NOT_GIVEN,
    ) -> None:
        """Change the languages of streams opened from now on."""
        if is_given(languages):
            self._options = replace(self._options, languages=tuple(languages))
        if is_given(language):
            self._options = replace(self._options, language=language)

    def stream(
        self,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
    ) -> "SpeechStream":
        """Open a stream; ``language`` fixes its language."""
        options = replace(self._options, language=language) if is_given(language) else self._options
        stream = SpeechStream(self, self._connection, options, conn_options)
        self._streams.add(stream)
        return stream

    async def _recognize_impl(
        self,
        buffer: AudioBuffer,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions,
    ) -> stt.SpeechEvent:
        # The same path as a call, so that both hear the same words.
        frame = utils.combine_frames(buffer)
        parts: list[stt.SpeechData] = []
        options = APIConnectOptions(max_retry=0, timeout=conn_options.timeout)
        async with self.stream(language=language, conn_options=options) as stream:
            stream.push_frame(frame)
            stream.end_input()
            async for event in stream:
                if event.type is stt.SpeechEventType.FINAL_TRANSCRIPT:
                    parts += event.alternatives
        text = " ".join(part.text for part in parts)
        spoken = parts[0].language if parts else LanguageCode(self._options.languages[0])
        return stt.SpeechEvent(
            type=stt.SpeechEventType.FINAL_TRANSCRIPT,
            request_id=utils.shortuuid(),
            alternatives=[stt.SpeechData(language=spoken, text=text)],
        )

    async def aclose(self) -> None:
        """Close every stream and the connection."""
        await asyncio.gather(*(stream.aclose() for stream in list(self._streams)))
        await self._connection.aclose()


class SpeechStream(stt.RecognizeStream):
    """One caller's speech; a lost connection loses no word of the utterance in progress."""

    def __init__(
        self,
        plugin: STT,
        connection: EngineConnection,
        options: _Options,
        conn_options: APIConnectOptions,
    ) -> None:
        super().__init__(stt=plugin, conn_options=conn_options, sample_rate=STT_SAMPLE_RATE)
        self._connection = connection
        self._options = options
        self._unanswered = UnansweredAudio()
        self._watchdog = Watchdog("final transcript", conn_options.timeout)
        self._new_audio = False
        self._ended = False
        self._unreported = 0.0

    def push_frame(self, frame: rtc.AudioFrame) -> None:
        """Push audio of any rate; several channels are mixed down."""
        # The framework's resampler takes every frame for mono.
        super().push_frame(_mono(frame))

    async def _run(self) -> None:
        async with api_errors(self._connection.address):
            start = SttStart(
                languages=list(self._options.languages), language=self._options.language
            )
            async with self._connection.stream(
                STT_PATH, start, timeout=self._conn_options.timeout
            ) as engine:
                # What was said before the connection was lost is part of this stream's time.
                offset = self.start_time_offset - self._unanswered.seconds
                for item in self._unanswered.replay():
                    await _send(engine, item)
                self._owe()
                await run_with(
                    self._receive(engine, offset), self._forward(engine), self._watchdog.watch()
                )

    async def _forward(self, engine: EngineStream) -> None:
        async for item in self._input_ch:
            if isinstance(item, rtc.AudioFrame):
                pcm = item.data.tobytes()
                self._new_audio = True
                self._unanswered.add(pcm)
                await engine.send_audio(pcm)
                self._report_usage(item.duration)
            elif self._new_audio:
                # A flush without new audio (one comes when the session closes) asks for nothing.
                self._new_audio = False
                await _send(engine, self._unanswered.flush())
                self._owe()
        self._ended = True
        await engine.send({"type": "end"})
        self._owe()

    async def _receive(self, engine: EngineStream, offset: float) -> None:
        while (message := await engine.receive()) is not None:
            if not isinstance(message, dict):
                raise ProtocolError("the engine sent audio")
            if message["type"] == "final":
                self._unanswered.answered(int(message["flush"]))
                self._owe()
            if message["type"] in ("interim", "final") and message["text"]:
                self._event_ch.send_nowait(_event(message, offset))
        if not self._ended:
            raise ProtocolError("the engine closed a stream that was still in use")

    def _owe(self) -> None:
        """Let the watchdog know whether the engine owes a final transcript or its good-bye."""
        if self._unanswered.flush_pending or self._ended:
            self._watchdog.expect()
        else:
            self._watchdog.settle()

    def _report_usage(self, seconds: float) -> None:
        self._unreported += seconds
        if self._unreported >= _USAGE_SECONDS:
            usage = stt.RecognitionUsage(audio_duration=self._unreported)
            self._unreported = 0.0
            self._event_ch.send_nowait(
                stt.SpeechEvent(type=stt.SpeechEventType.RECOGNITION_USAGE, recognition_usage=usage)
            )


async def _send(engine: EngineStream, item: bytes | int) -> None:
    """Send audio, or the flush of that number."""
    if isinstance(item, bytes):
        await engine.send_audio(item)
    else:
        await engine.send({"type": "flush", "id": item})


def _mono(frame: rtc.AudioFrame) -> rtc.AudioFrame:
    if frame.num_channels == 1:
        return frame
    samples = np.frombuffer(frame.data, np.int16).reshape(-1, frame.num_channels)
    mixed = samples.mean(axis=1).astype("<i2").tobytes()
    return rtc.AudioFrame(mixed, frame.sample_rate, 1, len(samples))


def _event(message: dict[str, object], offset: float) -> stt.SpeechEvent:
    kind = (
        stt.SpeechEventType.FINAL_TRANSCRIPT
        if message["type"] == "final"
        else stt.SpeechEventType.INTERIM_TRANSCRIPT
    )
    data = stt.SpeechData(
        language=LanguageCode(str(message["language"])),
        text=str(message["text"]),
        start_time=float(str(message["start"])) + offset,
        end_time=float(str(message["end"])) + offset,
        confidence=float(str(message.get("confidence", 0.0))),
    )
    return stt.SpeechEvent(type=kind, request_id=utils.shortuuid(), alternatives=[data])
