"""Ears that cannot take much, or keep the wrong accounts."""

import asyncio
from collections.abc import Iterable
from typing import Any

from livekit import rtc
from livekit.agents import stt

from tests.conformance.kit.deadlines import FACTOR
from tests.conformance.mutants.stt_ear import FINAL, INTERIM, Ear, Stream, mutant
from tests.conformance.mutants.stt_transcripts import altered

USAGE = stt.SpeechEventType.RECOGNITION_USAGE


class SharedTexts(Ear):
    """Gives each stream the words that came last to any of many."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.latest = ""
        self.streams = _Shared


class _Shared(Stream):
    def change(self, event: stt.SpeechEvent) -> Iterable[stt.SpeechEvent]:
        ear = self._stt
        assert isinstance(ear, SharedTexts)
        if event.type is not FINAL:
            return [event]
        own, other = event.alternatives[0].text, ear.latest
        ear.latest = own
        return [altered(event, FINAL, other or own) if len(ear._streams) > 8 else event]


class OneQueue(Ear):
    """Hands on all events through one queue, in which interims take their time."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.turn = asyncio.Lock()
        self.streams = _Queued


class _Queued(Stream):
    def change(self, event: stt.SpeechEvent) -> Iterable[stt.SpeechEvent]:
        self.memory = [*(self.memory or []), asyncio.create_task(self._later(event))]
        return []

    async def _later(self, event: stt.SpeechEvent) -> None:
        ear = self._stt
        assert isinstance(ear, OneQueue)
        async with ear.turn:
            if event.type is INTERIM and len(ear._streams) > 8:
                await asyncio.sleep(2.0 * FACTOR)
            self.emit(event)

    async def _run(self) -> None:
        try:
            await super()._run()
            await asyncio.gather(*(self.memory or []))
        except asyncio.CancelledError:
            for task in self.memory or []:
                task.cancel()
            await asyncio.gather(*(self.memory or []), return_exceptions=True)
            raise


class ShortBuffer(Stream):
    def push_frame(self, frame: rtc.AudioFrame) -> None:
        if self._input_ch.qsize() < 100:
            super().push_frame(frame)


class KeepsAudio(Stream):
    def push_frame(self, frame: rtc.AudioFrame) -> None:
        self.memory = [*(self.memory or []), bytes(frame.data)]
        super().push_frame(frame)


class ReportsNothing(Stream):
    def change(self, event: stt.SpeechEvent) -> Iterable[stt.SpeechEvent]:
        return [] if event.type is USAGE else [event]


class CountsAgain(Stream):
    async def _run(self) -> None:
        if self.attempts:
            usage = stt.RecognitionUsage(audio_duration=5.0)
            self.emit(stt.SpeechEvent(USAGE, recognition_usage=usage))
        await super()._run()


class Nameless(Ear):
    @property
    def model(self) -> str:
        return "unknown"


MUTANTS = (
    mutant("words of other callers", SharedTexts, "many_callers"),
    mutant("finals queue behind interims", OneQueue, "final_before_interims"),
    mutant(
        "audio lost when it is fast", ShortBuffer, "faster_than_real_time", may_break=("noise",)
    ),
    mutant("audio kept", KeepsAudio, "memory_stays_flat"),
    mutant("no usage", ReportsNothing, "usage_is_reported"),
    mutant("usage counted again", CountsAgain, "usage_counts_once"),
    mutant("model without a name", Nameless, "model_is_named"),
)
