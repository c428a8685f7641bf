"""Voices that wait too long, or not long enough."""

import asyncio
from typing import Any

from livekit.agents import tts
from livekit.plugins import local
from livekit.plugins.local.client import EngineStream
from livekit.plugins.local.watchdog import Watchdog

from tests.conformance.mutants.mutant import Mutant
from tests.conformance.mutants.tts_base import Connection, Emitter, voice


class _EndlessConnect(Connection):
    def stream(self, path: str, start: object, *, timeout: float) -> Any:
        return super().stream(path, start, timeout=100 * timeout)


class _NoDeadline(local.SynthesizeStream):
    async def _forward(self, engine: EngineStream, first: str, watchdog: Watchdog) -> None:
        await super()._forward(engine, first, Watchdog("audio", 0))

    async def _receive(
        self, engine: EngineStream, emitter: tts.AudioEmitter, watchdog: Watchdog
    ) -> None:
        await super()._receive(engine, emitter, Watchdog("audio", 0))


class _FirstAudioOnly(local.SynthesizeStream):
    async def _receive(self, engine: EngineStream, emitter: Any, watchdog: Watchdog) -> None:
        class Settling(Emitter):
            def push(self, data: bytes) -> None:
                watchdog.settle()
                self.emitter.push(data)

        await super()._receive(engine, Settling(emitter), watchdog)  # type: ignore[arg-type]


class _TotalDeadline(local.SynthesizeStream):
    async def _speak(self, emitter: tts.AudioEmitter) -> None:
        async with asyncio.timeout(self._conn_options.timeout):
            await super()._speak(emitter)


MUTANTS = (
    Mutant(
        "connects for ever",
        "tts",
        voice(connection=_EndlessConnect),
        frozenset({"tts_stall_on_connect"}),
    ),
    Mutant(
        "waits for ever",
        "tts",
        voice(stream=_NoDeadline),
        frozenset({"tts_stall_before_audio", "tts_stall_between_chunks"}),
    ),
    Mutant(
        "waits for ever in mid-reply",
        "tts",
        voice(stream=_FirstAudioOnly),
        frozenset({"tts_stall_between_chunks"}),
    ),
    Mutant(
        "a deadline for the whole reply",
        "tts",
        voice(stream=_TotalDeadline),
        frozenset({"tts_slow_is_no_stall"}),
    ),
)
