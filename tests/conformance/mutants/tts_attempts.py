"""Voices that begin an attempt wrongly, or report it wrongly."""

import asyncio
from typing import Any

from livekit.agents import tts
from livekit.plugins import local

from tests.conformance.mutants.mutant import Mutant
from tests.conformance.mutants.tts_base import Emitter, Stream, Voice, voice
from tests.conformance.plugins import speak_slowly


class _InitializesLate(local.SynthesizeStream):
    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        await asyncio.sleep(0)
        await super()._run(output_emitter)


class _InitializesOnce(Stream):
    """Believes that one emitter serves all attempts."""

    initialized = False

    async def _run(self, output_emitter: Any) -> None:
        if self.initialized:
            await self._speak(output_emitter)
        else:
            self.initialized = True
            await super()._run(output_emitter)


class _OneId(Emitter):
    def initialize(self, **arguments: Any) -> None:
        self.emitter.initialize(**arguments | {"request_id": "tts"})


class _NeverStarted(local.SynthesizeStream):
    def _mark_started(self) -> None:
        pass


class _StartsWithAudio(_NeverStarted):
    async def _run(self, output_emitter: Any) -> None:
        class Starting(Emitter):
            def push(emitter, data: bytes) -> None:
                local.SynthesizeStream._mark_started(self)
                emitter.emitter.push(data)

        await super()._run(Starting(output_emitter))  # type: ignore[arg-type]


class _StartsAtOnce(local.SynthesizeStream):
    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._mark_started()


class _LatestOptions(local.SynthesizeStream):
    async def _first_text(self) -> str | None:
        text = await super()._first_text()
        assert isinstance(self._tts, local.TTS)
        self._options = self._tts._options
        return text


class _Nameless(Voice):
    @property
    def model(self) -> str:
        return "unknown"


MUTANTS = (
    Mutant("a model without a name", "tts", _Nameless, frozenset({"tts_model_is_named"})),
    Mutant(
        "initializes late",
        "tts",
        voice(stream=_InitializesLate),
        frozenset({"tts_initialized_first"}),
    ),
    Mutant(
        "initializes once",
        "tts",
        voice(stream=_InitializesOnce),
        frozenset({"tts_initialized_first", "tts_failure_before_audio"}),
    ),
    Mutant("one id for all", "tts", voice(emitter=_OneId), frozenset({"tts_request_ids"})),
    Mutant(
        "no start is marked",
        "tts",
        voice(stream=_NeverStarted),
        frozenset({"tts_metrics_once", "tts_real_ttfb"}),
    ),
    Mutant(
        "the clock starts with the audio",
        "tts",
        voice(stream=_StartsWithAudio),
        frozenset({"tts_real_ttfb"}),
    ),
    Mutant(
        "the clock starts with the stream",
        "tts",
        voice(stream=_StartsAtOnce),
        frozenset({"tts_real_ttfb"}),
    ),
    Mutant(
        "options change in mid-stream",
        "tts",
        voice(stream=_LatestOptions),
        frozenset({"tts_options_for_next_stream"}),
        change=speak_slowly,
    ),
)
