"""Speech to text through the engine."""

import asyncio
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Never

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
from livekit.agents.types import TimedString
from livekit.agents.utils import AudioBuffer, is_given
from livekit.plugins.local.client import EngineConnection, EngineStream, api_errors, run_with
from livekit.plugins.local.protocol import STT_PATH, STT_SAMPLE_RATE, ProtocolError, SttStart
from livekit.plugins.local.registration import register
from livekit.plugins.local.replay import UnansweredAudio
from livekit.plugins.local.watchdog import Watchdog

register()

HYPOTHESIS = "hypothesis"
"""Key of an interim transcript's ``metadata``: all that was understood, to the newest word, which
is often cut in its middle and therefore not shown."""

_USAGE_SECONDS = 5.0
# A preflight makes the framework ask the language model, so it is only ever the whole utterance.
_EVENTS = {
    "interim": stt.SpeechEventType.INTERIM_TRANSCRIPT,
    "preflight": stt.SpeechEventType.PREFLIGHT_TRANSCRIPT,
    "final": stt.SpeechEventType.FINAL_TRANSCRIPT,
}


@dataclass(frozen=True, slots=True)
class _Options:
    languages: tuple[str, ...]
    language: str | None
    word_times: bool
    # Whether somebody wants to read along: not for a recording, which only has an end.
    live: bool = True


class STT(stt.STT[Never]):
    """Streaming speech to text with interim transcripts, by a shared engine process."""

    def __init__(
        self,
        *,
        engine: str,
        languages: Sequence[str] = ("en",),
        language: NotGivenOr[str] = NOT_GIVEN,
        model: str = "whisper-base",
        keyterms: Sequence[str] = (),
        word_times: bool = False,
    ) -> None:
        """Create the plugin; it connects when the first stream does.

        Args:
            engine: Address of the engine, ``unix:PATH`` or ``http://HOST:PORT``.
            languages: Two-letter codes of the languages to expect, most likely first.
            language: Fixes the language, so that none is detected.
            model: Name reported in metrics; the engine decides which model it runs.
            keyterms: Names and words to expect; the session's own come on top.
            word_times: Whether final transcripts say when each word was said, which costs the
                engine another pass over them.
        """
        super().__init__(
            capabilities=stt.STTCapabilities(
                streaming=True,
                interim_results=True,
                aligned_transcript="word" if word_times else False,
                offline_recognize=True,
                keyterms=True,
                manual_flush=True,
            )
        )
        self._model = model
        self._connection = EngineConnection(engine)
        self._options = _Options(
            tuple(languages), language if is_given(language) else None, word_times
        )
        self._keyterms = tuple(keyterms)
        self._session_keyterms: tuple[str, ...] = ()
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
        keyterms: NotGivenOr[Sequence[str]] = NOT_GIVEN,
    ) -> None:
        """Change the languages of streams opened from now on, and the key terms of all."""
        if is_given(languages):
            self._options = replace(self._options, languages=tuple(languages))
        if is_given(language):
            self._options = replace(self._options, language=language)
        if is_given(keyterms):
            self._keyterms = tuple(keyterms)

    @property
    def keyterms(self) -> tuple[str, ...]:
        """Names and words to expect: the plugin's own, then the session's."""
        return tuple(dict.fromkeys([*self._keyterms, *self._session_keyterms]))

    def _update_session_keyterms(self, keyterms: list[str]) -> None:
        self._session_keyterms = tuple(keyterms)

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
        asked = replace(self._options, live=False)
        if is_given(language):
            asked = replace(asked, language=language)
        stream = SpeechStream(self, self._connection, asked, options)
        self._streams.add(stream)
        async with stream:
            stream.push_frame(frame)
            stream.end_input()
            async for event in stream:
                if event.type is stt.SpeechEventType.FINAL_TRANSCRIPT:
                    parts += event.alternatives
        spoken = parts[0].language if parts else LanguageCode(self._options.languages[0])
        words = [word for part in parts for word in part.words or ()]
        heard = stt.SpeechData(
            language=spoken,
            text=" ".join(part.text for part in parts),
            start_time=parts[0].start_time if parts else 0.0,
            end_time=parts[-1].end_time if parts else 0.0,
            confidence=min((part.confidence for part in parts), default=0.0),
            words=words or None,
        )
        return stt.SpeechEvent(
            type=stt.SpeechEventType.FINAL_TRANSCRIPT,
            request_id=utils.shortuuid(),
            alternatives=[heard],
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
        self._plugin = plugin
        self._sent_keyterms: tuple[str, ...] = ()
        self._heard: str | None = None
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
            self._sent_keyterms = self._plugin.keyterms
            options = self._options
            start = SttStart(
                # A new connection must not make the caller's language a matter of doubt again.
                languages=sorted(options.languages, key=lambda code: code != self._heard),
                language=options.language,
                interim=options.live,
                preflight=options.live,
                words=options.word_times,
                keyterms=list(self._sent_keyterms),
                patience=self._conn_options.timeout,
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
            if self._plugin.keyterms != self._sent_keyterms:
                self._sent_keyterms = self._plugin.keyterms
                await engine.send({"type": "keyterms", "terms": list(self._sent_keyterms)})
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
        self._report_usage(0.0, threshold=0.0)
        await engine.send({"type": "end"})
        self._owe()

    async def _receive(self, engine: EngineStream, offset: float) -> None:
        while (message := await engine.receive()) is not None:
            if not isinstance(message, dict):
                raise ProtocolError("the engine sent audio")
            if message["type"] == "final":
                self._unanswered.answered(int(message["flush"]))
                self._heard = message["language"]
                self._owe()
            if message["type"] in _EVENTS and message["text"]:
                self._event_ch.send_nowait(_event(message, offset))
        if not self._ended:
            raise ProtocolError("the engine closed a stream that was still in use")

    def _owe(self) -> None:
        """Let the watchdog know whether the engine owes a final transcript or its good-bye."""
        if self._unanswered.flush_pending or self._ended:
            self._watchdog.expect()
        else:
            self._watchdog.settle()

    def _report_usage(self, seconds: float, *, threshold: float = _USAGE_SECONDS) -> None:
        self._unreported += seconds
        # The framework reports the audio of a recording itself.
        if self._options.live and self._unreported > threshold:
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


def _event(message: dict[str, Any], offset: float) -> stt.SpeechEvent:
    kind = _EVENTS[message["type"]]
    data = stt.SpeechData(
        language=LanguageCode(str(message["language"])),
        text=str(message["text"]),
        start_time=float(message["start"]) + offset,
        end_time=float(message["end"]) + offset,
        confidence=float(message.get("confidence", 0.0)),
        words=_words(message["words"], offset) if message.get("words") else None,
        metadata={HYPOTHESIS: str(message["hypothesis"])} if "hypothesis" in message else None,
    )
    return stt.SpeechEvent(type=kind, request_id=utils.shortuuid(), alternatives=[data])


def _words(words: list[dict[str, Any]], offset: float) -> list[TimedString]:
    return [
        TimedString(
            str(word["text"]),
            start_time=float(word["start"]) + offset,
            end_time=float(word["end"]) + offset,
            confidence=float(word["confidence"]),
            start_time_offset=offset,
        )
        for word in words
    ]
