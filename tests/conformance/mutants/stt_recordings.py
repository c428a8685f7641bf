"""Ears that treat recordings otherwise than calls."""

import asyncio
from dataclasses import replace
from typing import Any

from livekit.agents import APIConnectOptions, LanguageCode, stt
from livekit.agents.metrics import STTMetrics

from tests.conformance.mutants.stt_ear import Ear, mutant
from tests.conformance.mutants.stt_transcripts import said


class LosesLastWord(Ear):
    async def _recognize_impl(self, *arguments: Any, **options: Any) -> stt.SpeechEvent:
        event = await super()._recognize_impl(*arguments, **options)
        for data in event.alternatives:
            data.text = data.text.rpartition(" ")[0]
        return event


class HearsEmptyRecordings(Ear):
    async def _recognize_impl(self, *arguments: Any, **options: Any) -> stt.SpeechEvent:
        event = await super()._recognize_impl(*arguments, **options)
        return event if event.alternatives[0].text else said("thank you")


class RecognizesTwice(Ear):
    async def _recognize_impl(self, *arguments: Any, **options: Any) -> stt.SpeechEvent:
        try:
            return await super()._recognize_impl(*arguments, **options)
        except Exception:  # noqa: BLE001 - that is what is broken
            return await super()._recognize_impl(*arguments, **options)


class RecognizesForNobody(Ear):
    async def _recognize_impl(self, *arguments: Any, **options: Any) -> stt.SpeechEvent:
        work = super()._recognize_impl(*arguments, **options)
        return await asyncio.shield(asyncio.create_task(work))


class NamesNoLanguage(Ear):
    async def _recognize_impl(self, *arguments: Any, **options: Any) -> stt.SpeechEvent:
        event = await super()._recognize_impl(*arguments, **options)
        for data in event.alternatives:
            data.language = LanguageCode("")
        return event


class WaitsForEver(Ear):
    async def _recognize_impl(
        self, *arguments: Any, conn_options: APIConnectOptions, **options: Any
    ) -> stt.SpeechEvent:
        patient = replace(conn_options, timeout=3600)
        return await super()._recognize_impl(*arguments, conn_options=patient, **options)


class CountsTwice(Ear):
    async def recognize(self, *arguments: Any, **options: Any) -> stt.SpeechEvent:
        metrics: list[STTMetrics] = []
        self.once("metrics_collected", metrics.append)
        event = await super().recognize(*arguments, **options)
        self.emit("metrics_collected", metrics[0])
        return event


MUTANTS = (
    mutant("last word of recordings lost", LosesLastWord, "recognize_agrees"),
    mutant("words in empty recordings", HearsEmptyRecordings, "recognize_silence"),
    mutant("language of recordings missing", NamesNoLanguage, "recognize_language"),
    mutant("recordings tried twice", RecognizesTwice, "recognize_keeps_budget"),
    mutant("no deadline for recordings", WaitsForEver, "recognize_times_out"),
    mutant("recognition not cancelled", RecognizesForNobody, "recognize_can_be_cancelled"),
    mutant("recordings counted twice", CountsTwice, "recordings_count_once"),
)
