"""Ears that say the wrong thing."""

from collections.abc import Iterable
from copy import deepcopy

import numpy as np
from livekit import rtc
from livekit.agents import LanguageCode, stt

from tests.conformance.mutants.stt_ear import FINAL, INTERIM, PREFLIGHT, Stream, mutant, only


def altered(event: stt.SpeechEvent, kind: stt.SpeechEventType, text: str) -> stt.SpeechEvent:
    """Return a copy of an event with another kind and text."""
    other = deepcopy(event)
    other.type = kind
    other.alternatives[0].text = text
    return other


def said(text: str, kind: stt.SpeechEventType = FINAL) -> stt.SpeechEvent:
    """Return a transcript."""
    return stt.SpeechEvent(kind, alternatives=[stt.SpeechData(LanguageCode("en"), text)])


def level(frame: rtc.AudioFrame) -> int:
    """Return the loudest sample of a frame."""
    return int(np.abs(np.frombuffer(frame.data, np.int16)).max(initial=0))


class ForgetsBeforePause(Stream):
    quiet = 0.0
    spoken = False
    forgotten = 0

    def push_frame(self, frame: rtc.AudioFrame) -> None:
        loud = level(frame) > 5000
        if loud and self.spoken and self.quiet > 0.25:
            self._input_ch.send_nowait(self._FlushSentinel())
            self.forgotten += 1
        self.quiet = 0.0 if loud else self.quiet + frame.duration
        self.spoken = self.spoken or loud
        super().push_frame(frame)

    def flush(self) -> None:
        self.spoken = False
        super().flush()

    def change(self, event: stt.SpeechEvent) -> Iterable[stt.SpeechEvent]:
        if event.type is FINAL and self.forgotten:
            self.forgotten -= 1
            return []
        return [event]


class EndsWithoutFlush(Stream):
    def end_input(self) -> None:
        self._input_ch.close()


def in_per_cent(event: stt.SpeechEvent) -> list[stt.SpeechEvent]:
    event.alternatives[0].confidence *= 100
    return [event]


def without_language(event: stt.SpeechEvent) -> list[stt.SpeechEvent]:
    event.alternatives[0].language = LanguageCode("")
    return [event]


class SaysTwiceAtClose(Stream):
    """Decodes once more when the input ends, as a plugin does that decodes on every flush."""

    last: stt.SpeechEvent | None = None

    def change(self, event: stt.SpeechEvent) -> Iterable[stt.SpeechEvent]:
        if event.type is FINAL:
            self.last = event
        return [event]

    def end_input(self) -> None:
        if self.last:
            self.emit(self.last)
        super().end_input()


MUTANTS = (
    mutant(
        "final twice",
        only(FINAL, lambda event: [event, event]),
        "one_final_each",
        "flush_gives_final",
        may_break=(
            "end_of_input_gives_final",
            "flush_without_audio",
            "flushes_in_a_row",
            "stereo",
            "noise",
            "reset_amid_utterance",
            "times_in_seconds",
        ),
    ),
    mutant(
        "final again at close",
        SaysTwiceAtClose,
        "one_final_each",
        "flush_without_audio",
        may_break=("stereo",),
    ),
    mutant(
        "last words lost at close",
        EndsWithoutFlush,
        "end_of_input_gives_final",
    ),
    mutant("pause starts over", ForgetsBeforePause, "pauses_lose_nothing"),
    mutant("no interims", only(INTERIM, lambda _: []), "interims_come"),
    mutant(
        "interim after final",
        only(FINAL, lambda event: [event, altered(event, INTERIM, event.alternatives[0].text)]),
        "final_comes_last",
    ),
    mutant(
        "preflight of other words",
        only(
            FINAL,
            lambda event: [
                altered(event, PREFLIGHT, f"{event.alternatives[0].text} zulu"),
                event,
            ],
        ),
        "preflight_stands",
    ),
    mutant(
        "event without alternative",
        only(FINAL, lambda event: [stt.SpeechEvent(INTERIM), event]),
        "events_are_whole",
    ),
    mutant("confidence in per cent", only(FINAL, in_per_cent), "events_are_whole"),
    mutant(
        "language missing",
        only(FINAL, without_language),
        "language_reported",
    ),
)
