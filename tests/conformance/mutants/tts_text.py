"""Voices that lose text, make some up, or take it at the wrong time."""

from typing import Any

from livekit.agents import DEFAULT_API_CONNECT_OPTIONS, APIConnectOptions, APIError, tts
from livekit.plugins import local
from livekit.plugins.local.client import EngineStream
from livekit.plugins.local.watchdog import Watchdog

from tests.conformance.mutants.mutant import Mutant
from tests.conformance.mutants.tts_base import Emitter, Voice, Wire, voice


class _SoundForNothing(local.SynthesizeStream):
    async def _first_text(self) -> str | None:
        return await super()._first_text() or ""


class _BlankIsAnError(local.SynthesizeStream):
    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        await super()._run(output_emitter)
        if self._pushed_text and not self._pushed_text.strip():
            raise APIError("there was nothing to say")


class _NoSilence(Emitter):
    def push(self, data: bytes) -> None:
        if any(data):
            self.emitter.push(data)


class _Text(Wire):
    """Changes the text on its way."""

    async def send(self, message: Any) -> None:
        if isinstance(message, dict) and message["type"] == "text":
            message = message | {"text": self.change(message["text"])}
        await super().send(message)

    def change(self, text: str) -> str:
        return text


class _OneSentence(_Text):
    ended = False

    def change(self, text: str) -> str:
        if self.ended:
            return ""
        before, stop, _ = text.partition(".")
        self.ended = bool(stop)
        return before + stop


class _ShortMemory(_Text):
    left = 500

    def change(self, text: str) -> str:
        text = text[: self.left]
        self.left -= len(text)
        return text


class _Trimmed(_Text):
    def change(self, text: str) -> str:
        return text.strip()


class _DeafToFlush(Wire):
    async def send(self, message: Any) -> None:
        if not isinstance(message, dict) or message["type"] != "flush":
            await super().send(message)


class _AllAtOnce(local.SynthesizeStream):
    async def _first_text(self) -> str | None:
        pieces = [item async for item in self._input_ch if isinstance(item, str)]
        return "".join(pieces).strip() or None


class _EndsAtFlush(local.SynthesizeStream):
    async def _first_text(self) -> str | None:
        async for item in self._input_ch:
            return item if isinstance(item, str) else None
        return None


class _AlwaysOwed(Watchdog):
    def settle(self) -> None:
        self.expect()


class _Impatient(local.SynthesizeStream):
    async def _receive(
        self, engine: EngineStream, emitter: tts.AudioEmitter, watchdog: Watchdog
    ) -> None:
        watchdog.__class__ = _AlwaysOwed
        await super()._receive(engine, emitter, watchdog)


class _SaysItTwice(Voice):
    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> tts.ChunkedStream:
        return super().synthesize(f"{text} {text}", conn_options=conn_options)


MUTANTS = (
    Mutant("sound for no text", "tts", voice(stream=_SoundForNothing), frozenset({"tts_no_text"})),
    Mutant(
        "white space is an error",
        "tts",
        voice(stream=_BlankIsAnError),
        frozenset({"tts_blank_text"}),
    ),
    Mutant(
        "no audio for an emoji",
        "tts",
        voice(emitter=_NoSilence),
        frozenset({"tts_unspeakable_text"}),
    ),
    Mutant(
        "one sentence is enough",
        "tts",
        voice(wire=_OneSentence),
        frozenset({"tts_every_word_once", "tts_long_reply"}),
        # Its text has two sentences.
        may_break=frozenset({"tts_failure_before_audio"}),
    ),
    Mutant(
        "takes 500 characters",
        "tts",
        voice(wire=_ShortMemory),
        frozenset({"tts_long_sentence", "tts_long_reply"}),
    ),
    Mutant("trims each piece", "tts", voice(wire=_Trimmed), frozenset({"tts_pieces_of_words"})),
    Mutant(
        "waits for the whole reply",
        "tts",
        voice(stream=_AllAtOnce),
        frozenset({"tts_speaks_while_written"}),
    ),
    Mutant(
        "a pause is a timeout", "tts", voice(stream=_Impatient), frozenset({"tts_pause_in_text"})
    ),
    Mutant("deaf to flush", "tts", voice(wire=_DeafToFlush), frozenset({"tts_flush_speaks"})),
    Mutant("ends at a flush", "tts", voice(stream=_EndsAtFlush), frozenset({"tts_empty_flush"})),
    Mutant("synthesize doubles", "tts", _SaysItTwice, frozenset({"tts_whole_text"})),
)
