"""Kyutai's plugin with one thing wrong in each: the kit notices at a moshi-server, too.

Some do as the widely copied recipe says. The rules are the shared ones, which have their mutants at
the speech engine; what matters here is that the moshi-server behind the kit makes them fail.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from math import inf
from typing import Any

from livekit import rtc
from livekit.agents import (
    DEFAULT_API_CONNECT_OPTIONS,
    NOT_GIVEN,
    APIConnectOptions,
    APIError,
    NotGivenOr,
    stt,
    tts,
)
from livekit.agents.stt import SpeechEventType
from livekit.plugins import kyutai
from livekit.plugins.kyutai import messages
from livekit.plugins.kyutai.connection import Connection
from livekit.plugins.kyutai.messages import SAMPLE_RATE
from livekit.plugins.kyutai.stt import SpeechStream
from livekit.plugins.kyutai.tts import SynthesizeStream

from tests.conformance.kit import deadlines
from tests.conformance.mutants.mutant import Mutant


class _SplitsWords(SynthesizeStream):
    async def _texts(self) -> AsyncGenerator[str, None]:
        async for item in self._input_ch:
            if isinstance(item, str):
                yield item


class _NeverSaysEos(SynthesizeStream):
    async def _forward(self, connection: Connection, first: str, texts: AsyncIterator[str]) -> None:
        await connection.send(messages.text(first))
        async for text in texts:
            await connection.send(messages.text(text))
        connection.drain(self._conn_options.timeout)
        await connection.send(messages.text(""))


class _WaitsForTheWholeReply(SynthesizeStream):
    async def _texts(self) -> AsyncGenerator[str, None]:
        if text := " ".join([text async for text in super()._texts()]):
            yield text


class _WaitsForEver(SynthesizeStream):
    async def _forward(self, connection: Connection, first: str, texts: AsyncIterator[str]) -> None:
        await super()._forward(connection, first, texts)
        connection.expect(None)


class _DropIsTheEnd(SynthesizeStream):
    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._endpoint = replace(self._endpoint, ends_by_drop=True)


class _SaysItAgain(SynthesizeStream):
    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        try:
            await super()._run(output_emitter)
        except APIError as error:
            error.retryable = True
            raise


class _SaysALongGoodbye(SynthesizeStream):
    async def _speak(self, emitter: tts.AudioEmitter, stack: AsyncExitStack) -> None:
        late = AsyncExitStack()
        stack.push_async_callback(late.aclose)
        stack.push_async_callback(asyncio.sleep, 10 * deadlines.CLOSE)
        await super()._speak(emitter, late)


class _Overflows(SynthesizeStream):
    async def _receive(self, connection: Connection, emitter: tts.AudioEmitter) -> None:
        while (message := await connection.receive()) is not None:
            if isinstance(message, messages.Audio):
                self._samples += len(message.samples)
                emitter.push((message.samples * 32768).astype("<i4").astype("<i2").tobytes())


class _FinalWords(SpeechStream):
    def _emit(self, kind: SpeechEventType, data: stt.SpeechData | None) -> None:
        interim = kind is SpeechEventType.INTERIM_TRANSCRIPT
        super()._emit(SpeechEventType.FINAL_TRANSCRIPT if interim else kind, data)


class _DeafToFlush(SpeechStream):
    def flush(self) -> None:
        return


class _ForgetsTheUtterance(SpeechStream):
    async def _run(self) -> None:
        self._kept.forget(self._kept.end)
        await super()._run()


class _EndsQuietly(SpeechStream):
    async def _run(self) -> None:
        try:
            await super()._run()
        except APIError:
            return


class _WaitsForTheEar(SpeechStream):
    async def _run(self) -> None:
        self._conn_options = replace(self._conn_options, timeout=inf)
        await super()._run()


class _TimesOfTheConnection(SpeechStream):
    async def _run(self) -> None:
        self._start_time_offset = (self._kept.end - self._kept.start) / SAMPLE_RATE
        await super()._run()


class _TakesStereoForMono(SpeechStream):
    def push_frame(self, frame: rtc.AudioFrame) -> None:
        stt.RecognizeStream.push_frame(self, frame)


class _CountsNothing(SpeechStream):
    def _report_usage(self, seconds: float, *, threshold: float = 0.0) -> None:
        return


def _voice(opens: type[SynthesizeStream]) -> Callable[[str], kyutai.TTS]:
    class Broken(kyutai.TTS):
        def stream(
            self, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
        ) -> SynthesizeStream:
            stream = opens(self, self._server, self._options, conn_options)
            self._streams.add(stream)
            return stream

    return lambda address: Broken(base_url=address)


def _ear(opens: type[SpeechStream]) -> Callable[[str], kyutai.STT]:
    class Broken(kyutai.STT):
        def stream(
            self,
            *,
            language: NotGivenOr[str] = NOT_GIVEN,
            conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
        ) -> SpeechStream:
            stream = opens(self, self._server, self._options, conn_options)
            self._streams.add(stream)
            return stream

    return lambda address: Broken(base_url=address)


def _tts(name: str, opens: type[SynthesizeStream], *breaks: str) -> Mutant:
    return Mutant(name, "tts", _voice(opens), frozenset(breaks))


def _stt(name: str, opens: type[SpeechStream], *breaks: str) -> Mutant:
    return Mutant(name, "stt", _ear(opens), frozenset(breaks))


MUTANTS = (
    _tts("sends pieces of words", _SplitsWords, "tts_pieces_of_words"),
    _tts("an empty text for Eos", _NeverSaysEos, "tts_every_word_once"),
    _tts("waits for the whole reply", _WaitsForTheWholeReply, "tts_speaks_while_written"),
    _tts("waits for ever", _WaitsForEver, "tts_stall_before_audio", "tts_stall_between_chunks"),
    _tts("a drop is the end", _DropIsTheEnd, "tts_lost_after_audio"),
    _tts("says it again", _SaysItAgain, "tts_lost_after_audio", "tts_failure_after_audio"),
    _tts("says a long goodbye", _SaysALongGoodbye, "tts_close_in_mid_audio"),
    _tts("overflows, without captions", _Overflows, "tts_full_scale", "tts_timed_transcripts"),
    _stt("every word is final", _FinalWords, "stt_one_final_each", "stt_interims_come"),
    _stt("deaf to flush", _DeafToFlush, "stt_flush_gives_final"),
    _stt("forgets the utterance", _ForgetsTheUtterance, "stt_reset_amid_utterance"),
    _stt("ends quietly", _EndsQuietly, "stt_lost_connection_is_api_error"),
    _stt("waits for the ear", _WaitsForTheEar, "stt_stalled_ear_times_out"),
    _stt("times of the connection", _TimesOfTheConnection, "stt_times_count_the_offset"),
    _stt("takes stereo for mono", _TakesStereoForMono, "stt_stereo"),
    _stt("reports no usage", _CountsNothing, "stt_usage_is_reported"),
)
