"""Voices whose audio is wrong: its type, its format, its length, its segments."""

import asyncio
from typing import Any

import numpy as np
from livekit.agents import tts
from livekit.plugins import local
from livekit.plugins.local.client import EngineStream
from livekit.plugins.local.watchdog import Watchdog

from tests.conformance.mutants.mutant import Mutant
from tests.conformance.mutants.tts_base import Clauses, Emitter, Stream, voice

_SPEAKING = frozenset(
    {
        "tts_every_word_once",
        "tts_unspeakable_text",
        "tts_one_segment",
        "tts_metrics_once",
        "tts_odd_bytes",
        "tts_failure_before_audio",
        "tts_close_in_mid_audio",
    }
)
"""Sentinels that need audio."""


class _ASegmentEach(Emitter):
    """Begins another segment with every clause, which the engine's message announces."""

    started = 0

    def clause(self) -> None:
        self.started += 1
        if self.started > 1:
            self.emitter.end_segment()
            self.emitter.start_segment(segment_id=f"segment {self.started}")


class _TwoSegments(Stream):
    emitter = _ASegmentEach

    async def _receive(
        self, engine: EngineStream, emitter: tts.AudioEmitter, watchdog: Watchdog
    ) -> None:
        await super()._receive(Clauses(engine, emitter), emitter, watchdog)  # type: ignore[arg-type]


class _PushesLate(local.SynthesizeStream):
    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        await super()._run(output_emitter)
        asyncio.get_running_loop().call_soon(output_emitter.push, bytes(960))


class _Bytearray(Emitter):
    def push(self, data: bytes) -> None:
        self.emitter.push(bytearray(data))


class _WrapsAround(Emitter):
    def push(self, data: bytes) -> None:
        if len(data) % 2 == 0:
            louder = np.frombuffer(data, "<i2").astype(np.int32) * 11 // 10
            data = louder.astype("<i2").tobytes()
        self.emitter.push(data)


class _DropsOddByte(Emitter):
    def push(self, data: bytes) -> None:
        self.emitter.push(data[: len(data) // 2 * 2])


class _OtherRate(Emitter):
    """Tells the emitter twice the rate that the plugin declares, and keeps it."""

    odd = b""

    def initialize(self, **arguments: Any) -> None:
        self.emitter.initialize(**arguments | {"sample_rate": 2 * arguments["sample_rate"]})

    def push(self, data: bytes) -> None:
        data = self.odd + data
        whole = len(data) // 2 * 2
        self.odd = data[whole:]
        self.emitter.push(np.repeat(np.frombuffer(data[:whole], "<i2"), 2).tobytes())


class _AddsSilence(Emitter):
    def end_segment(self) -> None:
        self.emitter.push(bytes(48_000))
        self.emitter.end_segment()


MUTANTS = (
    Mutant(
        "a segment for each clause",
        "tts",
        voice(stream=_TwoSegments),
        frozenset({"tts_one_segment", "tts_final_is_last"}),
        # The framework ends every reply of two clauses with an error.
        may_break=frozenset({"tts_every_word_once", "tts_failure_before_audio"}),
    ),
    Mutant(
        "pushes after the end",
        "tts",
        voice(stream=_PushesLate),
        frozenset({"tts_silent_after_end"}),
    ),
    Mutant(
        "pushes bytearrays",
        "tts",
        voice(emitter=_Bytearray),
        frozenset({"tts_bytes_only", "tts_every_word_once", "tts_duration"}),
        # The framework drops all of its audio.
        may_break=_SPEAKING,
    ),
    Mutant("wraps around", "tts", voice(emitter=_WrapsAround), frozenset({"tts_full_scale"})),
    Mutant("drops odd bytes", "tts", voice(emitter=_DropsOddByte), frozenset({"tts_odd_bytes"})),
    Mutant(
        "another rate than declared",
        "tts",
        voice(emitter=_OtherRate),
        frozenset({"tts_declared_format"}),
    ),
    Mutant("adds silence", "tts", voice(emitter=_AddsSilence), frozenset({"tts_duration"})),
)
