"""Speech to text by Kyutai's model in a moshi-server."""

import asyncio
import math
import weakref
from dataclasses import dataclass, replace
from typing import Never

from livekit import rtc
from livekit.agents import (
    DEFAULT_API_CONNECT_OPTIONS,
    NOT_GIVEN,
    APIConnectOptions,
    NotGivenOr,
    stt,
    utils,
)
from livekit.agents.utils import AudioBuffer, is_given
from livekit.agents.utils.aio import ChanClosed
from livekit.plugins.kyutai.connection import Endpoint, connect
from livekit.plugins.kyutai.kept_audio import KeptAudio
from livekit.plugins.kyutai.listening import Hearing, Listener
from livekit.plugins.kyutai.messages import SAMPLE_RATE
from livekit.plugins.kyutai.recordings import Recogniser, mono, samples_of
from livekit.plugins.kyutai.registration import register
from livekit.plugins.kyutai.server import MoshiServer
from livekit.plugins.kyutai.speech_models import MODELS, SpeechModel, STTModel
from livekit.plugins.kyutai.tasks import api_errors, run_with

register()

PATH = "/api/asr-streaming"

_USAGE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class _Options:
    path: str
    model: SpeechModel
    language: str
    preflight: float | None
    end: float | None
    longest_flush: float

    def hearing(self, timeout: float) -> Hearing:
        return Hearing(
            model=self.model,
            language=self.language,
            preflight=self.preflight,
            end=self.end,
            longest_flush=self.longest_flush,
            timeout=timeout,
        )


class STT(stt.STT[Never]):
    """Streaming speech to text by a moshi-server, with interim transcripts and word times."""

    def __init__(
        self,
        *,
        base_url: str = "ws://127.0.0.1:8080",
        api_key: str = "public_token",
        model: STTModel | str = "kyutai/stt-1b-en_fr",
        language: str = "en",
        delay: NotGivenOr[float] = NOT_GIVEN,
        steps: NotGivenOr[bool] = NOT_GIVEN,
        preflight_threshold: float | None = 0.5,
        end_threshold: float | None = 0.6,
        longest_flush: float = 5.0,
        path: str = PATH,
    ) -> None:
        """Create the plugin; it connects when the first stream does.

        Args:
            base_url: Address of the server, ``ws://HOST:PORT``, or ``wss://`` behind a proxy.
            api_key: One of the server's ``authorized_ids``.
            model: The model that the server runs; the server does not say which.
            language: What transcripts name as their language; the server does not name it.
            delay: Seconds after which the model writes a word. Needed for a model that is not one
                of `MODELS`.
            steps: Whether the server reports each step of the model, as it does for models that
                know pauses. Needed likewise; if not given, it does.
            preflight_threshold: Probability of a pause from which what was said is announced, so
                that a reply can be prepared; None never.
            end_threshold: Probability of a pause that ends the utterance; None leaves that to
                ``flush()``, which the session calls when its turn detector says so.
            longest_flush: Seconds after which a flush gives what is known, on a server that is
                behind; the rest becomes another transcript.
            path: Path of the server's module of type ``BatchedAsr``.

        Raises:
            ValueError: The model is not known and there is no ``delay``, or a number makes no
                sense.
        """
        super().__init__(
            capabilities=stt.STTCapabilities(
                streaming=True,
                interim_results=True,
                aligned_transcript="word",
                offline_recognize=True,
                manual_flush=True,
            )
        )
        self._server = MoshiServer(base_url, api_key)
        self._model = model
        self._options = _Options(
            path,
            _speech_model(model, delay, steps),
            language,
            _probability("preflight_threshold", preflight_threshold),
            _probability("end_threshold", end_threshold),
            longest_flush,
        )
        self._streams: weakref.WeakSet[SpeechStream] = weakref.WeakSet()

    @property
    def model(self) -> str:
        """The model, as the constructor was told."""
        return self._model

    @property
    def provider(self) -> str:
        """Always ``kyutai``."""
        return "kyutai"

    def update_options(
        self,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        preflight_threshold: NotGivenOr[float | None] = NOT_GIVEN,
        end_threshold: NotGivenOr[float | None] = NOT_GIVEN,
    ) -> None:
        """Change options of streams opened from now on; see the constructor.

        Raises:
            ValueError: As of the constructor.
        """
        options = self._options
        if is_given(language):
            options = replace(options, language=language)
        if is_given(preflight_threshold):
            found = _probability("preflight_threshold", preflight_threshold)
            options = replace(options, preflight=found)
        if is_given(end_threshold):
            options = replace(options, end=_probability("end_threshold", end_threshold))
        self._options = options

    def stream(
        self,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
    ) -> "SpeechStream":
        """Open a stream; it keeps the options of this moment."""
        options = replace(self._options, language=language) if is_given(language) else self._options
        stream = SpeechStream(self, self._server, options, conn_options)
        self._streams.add(stream)
        return stream

    async def _recognize_impl(
        self,
        buffer: AudioBuffer,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions,
    ) -> stt.SpeechEvent:
        options = self._options
        async with api_errors():
            data = await Recogniser(self._server, options.path, options.model).recognise(
                samples_of(buffer),
                language=language if is_given(language) else options.language,
                timeout=conn_options.timeout,
            )
        return stt.SpeechEvent(
            type=stt.SpeechEventType.FINAL_TRANSCRIPT,
            request_id=utils.shortuuid(),
            alternatives=[data],
        )

    async def aclose(self) -> None:
        """Close every stream and connection."""
        await asyncio.gather(*(stream.aclose() for stream in list(self._streams)))
        await self._server.aclose()


class SpeechStream(stt.RecognizeStream):
    """One caller's speech; a lost connection loses no word of the utterance in progress."""

    def __init__(
        self,
        plugin: STT,
        server: MoshiServer,
        options: _Options,
        conn_options: APIConnectOptions,
    ) -> None:
        super().__init__(stt=plugin, conn_options=conn_options, sample_rate=SAMPLE_RATE)
        self._server = server
        self._options = options
        self._kept = KeptAudio()
        self._new_audio = False
        self._unreported = 0.0
        self._listener: Listener | None = None
        self._waiting: asyncio.Timeout | None = None

    @property
    def backlog(self) -> float:
        """Seconds of audio that wait in the server; they grow when it is slower than real time."""
        return self._listener.backlog.seconds if self._listener else 0.0

    def push_frame(self, frame: rtc.AudioFrame) -> None:
        """Push audio of any rate; several channels are mixed down."""
        # The framework's resampler takes every frame for mono.
        super().push_frame(mono(frame))

    async def _run(self) -> None:
        timeout = self._conn_options.timeout
        async with (
            api_errors(),
            connect(self._server, Endpoint(self._options.path), timeout=timeout) as connection,
        ):
            kept = self._kept
            # What was said before the connection was lost is part of this stream's time.
            offset = self.start_time_offset - (kept.end - kept.start) / SAMPLE_RATE
            self._listener = listener = Listener(
                connection,
                kept,
                self._options.hearing(timeout),
                offset,
                self._emit,
                self._wake,
                self._server.url,
            )
            try:
                await run_with(self._forward(listener), listener.receive())
            finally:
                self._listener = None

    async def _forward(self, listener: Listener) -> None:
        await listener.begin()
        await listener.catch_up()
        while True:
            if listener.pause_due:
                await listener.pause()
            try:
                item = await self._next(listener.patience)
            except ChanClosed:
                break
            if item is None:
                if not listener.pause_due:
                    await listener.rest()
                continue
            if isinstance(item, rtc.AudioFrame):
                self._new_audio = True
                self._kept.add(item.data.tobytes())
                self._report_usage(item.duration)
            elif self._new_audio:
                # A flush without new audio (one comes when the session closes) asks for nothing.
                self._new_audio = False
                self._kept.flush()
            await listener.catch_up()
        self._report_usage(0.0, threshold=0.0)

    async def _next(
        self, patience: float
    ) -> rtc.AudioFrame | stt.RecognizeStream._FlushSentinel | None:
        """Return what was pushed; None if nothing was for so long, or the speaker has paused."""
        try:
            async with asyncio.timeout(patience) as self._waiting:
                return await self._input_ch.recv()
        except TimeoutError:
            return None
        finally:
            self._waiting = None

    def _wake(self) -> None:
        if self._waiting and not self._waiting.expired():
            self._waiting.reschedule(asyncio.get_running_loop().time())

    def _emit(self, kind: stt.SpeechEventType, data: stt.SpeechData | None) -> None:
        alternatives = [data] if data else []
        self._event_ch.send_nowait(
            stt.SpeechEvent(type=kind, request_id=utils.shortuuid(), alternatives=alternatives)
        )

    def _report_usage(self, seconds: float, *, threshold: float = _USAGE_SECONDS) -> None:
        self._unreported += seconds
        if self._unreported > threshold:
            usage = stt.RecognitionUsage(audio_duration=self._unreported)
            self._unreported = 0.0
            self._event_ch.send_nowait(
                stt.SpeechEvent(type=stt.SpeechEventType.RECOGNITION_USAGE, recognition_usage=usage)
            )


def _speech_model(model: str, delay: NotGivenOr[float], steps: NotGivenOr[bool]) -> SpeechModel:
    known = MODELS.get(model)
    if known is None and not is_given(delay):
        raise ValueError(
            f"{model!r} is none of {', '.join(MODELS)}; give its delay in seconds, too"
        )
    found = known or SpeechModel(delay=0.0, steps=True)
    if is_given(delay):
        if not 0 <= delay <= 60 or math.isnan(delay):
            raise ValueError(f"delay is {delay}; it is in seconds, 0 to 60")
        found = replace(found, delay=delay)
    return replace(found, steps=steps) if is_given(steps) else found


def _probability(name: str, value: float | None) -> float | None:
    if value is not None and not 0 < value <= 1:
        raise ValueError(f"{name} is {value}; it is a probability, above 0 to 1, or None")
    return value
