"""Voices that try again wrongly."""

from typing import Any

from livekit.agents import APIError, tts
from livekit.agents.utils import aio
from livekit.plugins import local

from tests.conformance.mutants.mutant import Mutant
from tests.conformance.mutants.tts_base import Emitter, Stream, voice


class _OneStart(Emitter):
    started = spoke = False

    def push(self, data: bytes) -> None:
        self.spoke = True
        self.emitter.push(data)

    def start_segment(self, **arguments: Any) -> None:
        if not self.started:
            self.emitter.start_segment(**arguments)
        self.started = True


class _DoublesRetry(Stream):
    """Begins again by itself, though something was said before."""

    emitter = _OneStart

    async def _speak(self, emitter: Any) -> None:
        try:
            await super()._speak(emitter)
        except APIError:
            if not emitter.spoke:
                raise
            self._input_ch = aio.Chan()
            for item in self._input_buffer:
                self._input_ch.send_nowait(item)
            self._input_ch.close()
            await super()._speak(emitter)


class _CachesInput(local.SynthesizeStream):
    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.cached = self._input_ch

    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        self._input_ch = self.cached
        await super()._run(output_emitter)


class _HoldsLast(Emitter):
    """Holds one chunk back, until the next one or the end."""

    held = b""

    def push(self, data: bytes) -> None:
        self.release()
        self.held = data

    def end_segment(self) -> None:
        self.release()
        self.emitter.end_segment()

    def release(self) -> None:
        if self.held:
            self.emitter.push(self.held)
        self.held = b""


class _PushesAndRaises(local.SynthesizeStream):
    async def _run(self, output_emitter: Any) -> None:
        holding: Any = _HoldsLast(output_emitter)
        try:
            await super()._run(holding)
        except APIError as error:
            if not holding.held:
                raise
            holding.release()
            raise APIError(error.message, body=None, retryable=True) from None


MUTANTS = (
    Mutant(
        "doubles the retry",
        "tts",
        voice(stream=_DoublesRetry),
        frozenset({"tts_failure_after_audio"}),
    ),
    Mutant(
        "caches its input",
        "tts",
        voice(stream=_CachesInput),
        frozenset({"tts_failure_before_audio", "tts_text_across_attempts"}),
    ),
    Mutant(
        "pushes and raises",
        "tts",
        voice(stream=_PushesAndRaises),
        frozenset({"tts_push_then_raise"}),
    ),
)
