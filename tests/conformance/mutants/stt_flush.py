"""Ears that take a flush for something else."""

from collections.abc import Iterable

from livekit import rtc
from livekit.agents import APIConnectionError, stt

from tests.conformance.mutants.stt_ear import FINAL, Stream, mutant
from tests.conformance.mutants.stt_transcripts import level, said


class WaitsForPause(Stream):
    loud = False

    def push_frame(self, frame: rtc.AudioFrame) -> None:
        self.loud = level(frame) > 5000
        super().push_frame(frame)

    def flush(self) -> None:
        if not self.loud:
            super().flush()


class RepeatsItself(Stream):
    """Answers a flush after which nothing was said with the last words.

    Attributes:
        least: Seconds of audio that there must have been since.
        most: Seconds of audio after which it does not.
    """

    least, most = 0.0, 0.0
    heard: stt.SpeechEvent | None = None
    seconds = 0.0
    loud = False

    def push_frame(self, frame: rtc.AudioFrame) -> None:
        self.seconds += frame.duration
        self.loud = self.loud or level(frame) > 5000
        super().push_frame(frame)

    def flush(self) -> None:
        if self.heard and not self.loud and self.least <= self.seconds <= self.most:
            self.emit(self.heard)
        self.seconds, self.loud = 0.0, False
        super().flush()

    def change(self, event: stt.SpeechEvent) -> Iterable[stt.SpeechEvent]:
        if event.type is FINAL:
            self.heard = event
        return [event]


class RepeatsAfterSilence(RepeatsItself):
    least, most = 0.5, 3.0


class AnswersTheLastFlush(Stream):
    flushes = finals = 0
    pushed = False

    def push_frame(self, frame: rtc.AudioFrame) -> None:
        self.pushed = True
        super().push_frame(frame)

    def flush(self) -> None:
        self.flushes += self.pushed
        self.pushed = False
        super().flush()

    def change(self, event: stt.SpeechEvent) -> Iterable[stt.SpeechEvent]:
        if event.type is FINAL:
            self.finals += 1
            return [event] if self.finals >= self.flushes else []
        return [event]


class DeafAfterCut(Stream):
    loud = False
    deaf = 0.0

    def push_frame(self, frame: rtc.AudioFrame) -> None:
        self.loud = level(frame) > 5000
        self.deaf -= frame.duration
        if self.deaf < 0:
            super().push_frame(frame)

    def flush(self) -> None:
        self.deaf = 0.15 if self.loud else 0.0
        super().flush()


class FailsWithoutAudio(Stream):
    pushed = False

    def push_frame(self, frame: rtc.AudioFrame) -> None:
        self.pushed = True
        super().push_frame(frame)

    async def _run(self) -> None:
        await super()._run()
        if not self.pushed:
            raise APIConnectionError("there was no audio")


class HearsNoise(Stream):
    """Takes noise for words.

    Attributes:
        low: Lowest level of such noise.
        high: Highest level.
        patience: Seconds of it that it takes.
    """

    low, high, patience = 500, 5000, 3.0
    heard = 0.0

    def push_frame(self, frame: rtc.AudioFrame) -> None:
        super().push_frame(frame)
        if self.low <= level(frame) <= self.high:
            self.heard += frame.duration
        if self.heard > self.patience:
            self.heard = 0.0
            self.emit(said("thank you"))


class HearsSilence(HearsNoise):
    low, high, patience = 0, 0, 20.0


MUTANTS = (
    mutant("flush ignored while speaking", WaitsForPause, "flush_gives_final"),
    mutant(
        "flush without audio repeats",
        RepeatsItself,
        "flush_without_audio",
        may_break=("one_final_each", "stereo"),
    ),
    mutant("flush of silence repeats", RepeatsAfterSilence, "flush_of_silence"),
    mutant(
        "only the last flush answered",
        AnswersTheLastFlush,
        "flushes_in_a_row",
        "flush_amid_speech",
        may_break=("noise", "reset_amid_utterance"),
    ),
    mutant("words lost at a cut", DeafAfterCut, "flush_amid_speech"),
    mutant("no audio is an error", FailsWithoutAudio, "no_audio"),
    mutant("words in noise", HearsNoise, "noise"),
    mutant("words in silence", HearsSilence, "silent_line"),
)
