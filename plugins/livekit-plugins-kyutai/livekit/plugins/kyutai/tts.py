"""Text to speech by Kyutai's model in a moshi-server."""

import asyncio
import json
import time
import weakref
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, replace
from typing import Never

import numpy as np
from livekit import rtc
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
from livekit.agents.utils import is_given
from livekit.plugins.kyutai import messages
from livekit.plugins.kyutai.captions import Captions
from livekit.plugins.kyutai.connection import Connection, Endpoint, open_connection
from livekit.plugins.kyutai.messages import SAMPLE_RATE, ProtocolError, Samples
from livekit.plugins.kyutai.prewarm import Prewarmed
from livekit.plugins.kyutai.registration import register
from livekit.plugins.kyutai.server import MoshiServer
from livekit.plugins.kyutai.tasks import api_errors, run_with
from livekit.plugins.kyutai.voices import VoiceEmbedding, check_name
from livekit.plugins.kyutai.wav import WavReader
from livekit.plugins.kyutai.words import WordSplitter

register()

PATH = "/api/tts_streaming"

_SECONDS, _SECONDS_A_WORD = 30, 10
"""What is longer cannot be the speech of so many words; a pause is two, of 10 s at most.

A model that does not find its end speaks for ever, and faster than anybody listens.
"""

_CHATTER, _CHATTER_A_WORD = 10_000, 500
"""How much may come beside the speech: characters, and one for each message without samples.

Else a server that only ever sends words, or what a later version might, would never be silent.
"""

_BLANK = bytes(2 * SAMPLE_RATE // 50)
"""20 ms of silence: the answer to text that cannot be spoken, such as an emoji."""


@dataclass(frozen=True, slots=True)
class _Options:
    voice: str | VoiceEmbedding | None
    path: str
    prewarm: bool

    def endpoint(self) -> Endpoint:
        query = {"format": "PcmMessagePack"}
        if isinstance(self.voice, str):
            query["voice"] = self.voice
        return Endpoint(self.path, query)


class TTS(tts.TTS[Never]):
    """Streaming text to speech by a moshi-server: 24 kHz, 16-bit, mono, with word times."""

    def __init__(
        self,
        *,
        base_url: str = "ws://127.0.0.1:8080",
        api_key: str = "public_token",
        voice: str | VoiceEmbedding | None = None,
        model: str = "kyutai/tts-1.6b-en_fr",
        path: str = PATH,
        prewarm: bool = False,
    ) -> None:
        """Create the plugin; it connects when the first words come.

        Args:
            base_url: Address of the server, ``ws://HOST:PORT``, or ``wss://`` behind a proxy.
            api_key: One of the server's ``authorized_ids``.
            voice: Name in the server's folder of voices, which silently takes its default for a
                name that it does not know; or an embedding. None is the server's default.
            model: What metrics call the model; the server has one and does not say which.
            path: Path of the server's module of type ``Py``.
            prewarm: Connect when a stream is opened, not when it gets its first words. The reply
                begins sooner by the time that connecting takes, and holds one of the server's slots
                while the language model thinks.

        Raises:
            VoiceError: The voice's name cannot be one.
        """
        super().__init__(
            capabilities=tts.TTSCapabilities(streaming=True, aligned_transcript=True),
            sample_rate=SAMPLE_RATE,
            num_channels=1,
        )
        self._server = MoshiServer(base_url, api_key)
        self._model = model
        self._options = _Options(_checked(voice), path, prewarm)
        self._streams: weakref.WeakSet[SynthesizeStream | ChunkedStream] = weakref.WeakSet()

    @property
    def model(self) -> str:
        """The model, as the constructor was told."""
        return self._model

    @property
    def provider(self) -> str:
        """Always ``kyutai``."""
        return "kyutai"

    def update_options(self, *, voice: NotGivenOr[str | VoiceEmbedding | None] = NOT_GIVEN) -> None:
        """Change the voice of streams opened from now on.

        Raises:
            VoiceError: The voice's name cannot be one.
        """
        if is_given(voice):
            self._options = replace(self._options, voice=_checked(voice))

    def stream(
        self, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> "SynthesizeStream":
        """Open a stream; it keeps the options of this moment."""
        stream = SynthesizeStream(self, self._server, self._options, conn_options)
        self._streams.add(stream)
        return stream

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> tts.ChunkedStream:
        """Speak a whole text, by the server's HTTP endpoint.

        That one takes no embedding: a voice that is one is spoken by a stream.
        """
        if isinstance(self._options.voice, VoiceEmbedding):
            return self._synthesize_with_stream(text, conn_options=conn_options)
        stream = ChunkedStream(self, self._server, self._options, text, conn_options)
        self._streams.add(stream)
        return stream

    async def aclose(self) -> None:
        """Close every stream and connection."""
        await asyncio.gather(*(stream.aclose() for stream in list(self._streams)))
        await self._server.aclose()


class SynthesizeStream(tts.SynthesizeStream):
    """One reply, spoken while it is still being written, by one connection."""

    def __init__(
        self,
        plugin: TTS,
        server: MoshiServer,
        options: _Options,
        conn_options: APIConnectOptions,
    ) -> None:
        super().__init__(tts=plugin, conn_options=conn_options)
        self._server = server
        self._options = options
        self._endpoint = options.endpoint()
        self._samples = self._words = self._chatter = 0

    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        output_emitter.initialize(
            request_id=utils.shortuuid(),
            sample_rate=SAMPLE_RATE,
            num_channels=1,
            mime_type="audio/pcm",
            stream=True,
        )
        self._samples = self._words = self._chatter = 0
        try:
            async with api_errors(), AsyncExitStack() as stack:
                await self._speak(output_emitter, stack)
        except APIError as error:
            # Whatever failed: another attempt would say again what was heard already.
            error.retryable = error.retryable and not self._samples
            raise

    async def _speak(self, emitter: tts.AudioEmitter, stack: AsyncExitStack) -> None:
        timeout = self._conn_options.timeout
        early: Prewarmed | None = None
        if self._options.prewarm:
            early = Prewarmed(self._server, self._endpoint, timeout)
            stack.push_async_callback(early.aclose)
        texts = await stack.enter_async_context(aclosing(self._texts()))
        # A turn that only calls a tool opens a stream and never writes to it.
        first = await anext(texts, None)
        if first is None:
            self._say_nothing(emitter)
            return
        self._mark_started()
        began = time.perf_counter()
        connection = await early.take() if early else None
        self._connection_reused = connection is not None
        if connection is None:
            connection = await open_connection(self._server, self._endpoint, timeout=timeout)
        stack.push_async_callback(connection.aclose)
        self._acquire_time = time.perf_counter() - began
        emitter.start_segment(segment_id=utils.shortuuid())
        await run_with(self._receive(connection, emitter), self._forward(connection, first, texts))
        emitter.end_segment()

    async def _texts(self) -> AsyncGenerator[str, None]:
        """Yield the text in messages of whole words, until no more comes."""
        words = WordSplitter()
        began = False
        async for item in self._input_ch:
            if isinstance(item, str):
                began = True
                if message := words.push(item):
                    yield message
            elif began:
                # The framework takes no text after this. Without Eos the last words are not spoken.
                break
        if message := words.flush():
            yield message

    def _say_nothing(self, emitter: tts.AudioEmitter) -> None:
        """Keep the framework from taking text without a sound for a failure."""
        if self._pushed_text.strip():
            emitter.start_segment(segment_id=utils.shortuuid())
            emitter.push(_BLANK)
            emitter.end_segment()

    async def _forward(self, connection: Connection, first: str, texts: AsyncIterator[str]) -> None:
        if isinstance(self._options.voice, VoiceEmbedding):
            # After the first text the server ignores it.
            await connection.send(self._options.voice.message)
        await self._send(connection, first)
        async for text in texts:
            await self._send(connection, text)
        # Before the last message, whose answer may be quicker than this task.
        connection.drain(self._conn_options.timeout)
        await connection.send(messages.eos())

    async def _send(self, connection: Connection, text: str) -> None:
        self._words += len(text.split())
        await connection.send(messages.text(text))

    async def _receive(self, connection: Connection, emitter: tts.AudioEmitter) -> None:
        captions = Captions()
        while (message := await connection.receive()) is not None:
            if isinstance(message, messages.Audio) and len(message.samples):
                self._samples += len(message.samples)
                _check_length(self._samples, self._words)
                emitter.push_timed_transcript(captions.release())
                # Not `push`, which would gather 200 ms before anything is played.
                emitter.push_frame(_frame(message.samples))
                continue
            self._chatter += 1
            if isinstance(message, messages.Spoken):
                self._chatter += len(message.text)
                emitter.push_timed_transcript(captions.add(message))
            if self._chatter > _CHATTER + _CHATTER_A_WORD * self._words:
                raise APIError("the moshi-server did not stop: it sends much beside the speech")
        emitter.push_timed_transcript(captions.release(self._samples / SAMPLE_RATE))
        if not self._samples:
            raise APIError("the moshi-server ended without having said anything")


class ChunkedStream(tts.ChunkedStream):
    """One whole text, spoken by the server's HTTP endpoint."""

    def __init__(
        self,
        plugin: TTS,
        server: MoshiServer,
        options: _Options,
        text: str,
        conn_options: APIConnectOptions,
    ) -> None:
        super().__init__(tts=plugin, input_text=text, conn_options=conn_options)
        self._server = server
        self._options = options
        self._samples = 0

    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        output_emitter.initialize(
            request_id=utils.shortuuid(),
            sample_rate=SAMPLE_RATE,
            num_channels=1,
            mime_type="audio/pcm",
        )
        words = WordSplitter()
        text = " ".join(part for part in (words.push(self._input_text), words.flush()) if part)
        if not text:
            output_emitter.push(_BLANK)
            return
        self._samples = 0
        try:
            async with api_errors():
                await self._speak(text, output_emitter)
        except APIError as error:
            error.retryable = error.retryable and not self._samples
            raise

    async def _speak(self, text: str, emitter: tts.AudioEmitter) -> None:
        timeout = self._conn_options.timeout
        began = time.perf_counter()
        # The server wants both; it takes its default voice for a name that it does not know.
        request = {"text": text, "voice": self._options.voice or ""}
        wav = WavReader()
        async with self._server.post(
            self._options.path,
            body=json.dumps(request).encode(),
            content_type="application/json",
            timeout=timeout,
        ) as response:
            self._acquire_time = time.perf_counter() - began
            while True:
                async with asyncio.timeout(timeout):
                    piece = await response.content.readany()
                if not piece:
                    break
                if pcm := _samples(wav, piece):
                    self._samples += len(pcm) // 2
                    _check_length(self._samples, len(text.split()))
                    emitter.push(pcm)
        if not self._samples:
            raise APIError("the moshi-server ended without having said anything")


def to_pcm(samples: Samples) -> bytes:
    """Return samples as s16le; what is too loud is clipped."""
    return (np.clip(samples, -1.0, 1.0) * 32767).astype("<i2").tobytes()


def _frame(samples: Samples) -> rtc.AudioFrame:
    return rtc.AudioFrame(to_pcm(samples), SAMPLE_RATE, 1, len(samples))


def _check_length(samples: int, words: int) -> None:
    """Stop listening to a server that speaks on and on.

    Raises:
        APIError: No text of so many words takes so long.
    """
    if samples > (_SECONDS + _SECONDS_A_WORD * words) * SAMPLE_RATE:
        raise APIError(
            f"the moshi-server did not stop: {samples // SAMPLE_RATE} s of speech came for {words} "
            "words"
        )


def _samples(wav: WavReader, piece: bytes) -> bytes:
    try:
        return wav.push(piece)
    except ProtocolError as error:
        raise APIConnectionError(f"the moshi-server broke the protocol: {error}") from None


def _checked(voice: str | VoiceEmbedding | None) -> str | VoiceEmbedding | None:
    return check_name(voice) if isinstance(voice, str) else voice
