"""Ears that mishear, or get the time wrong."""

from collections.abc import Iterable

from livekit import rtc
from livekit.agents import stt
from livekit.agents.types import TimedString

from tests.conformance.mutants.stt_ear import FINAL, INTERIM, PREFLIGHT, Stream, mutant, only


class TakesAnyRateFor16k(Stream):
    def push_frame(self, frame: rtc.AudioFrame) -> None:
        data, channels = frame.data.tobytes(), frame.num_channels
        super().push_frame(rtc.AudioFrame(data, 16_000, channels, frame.samples_per_channel))


class TakesStereoForMono(Stream):
    def push_frame(self, frame: rtc.AudioFrame) -> None:
        stt.RecognizeStream.push_frame(self, frame)


class CutsLongFrames(Stream):
    def push_frame(self, frame: rtc.AudioFrame) -> None:
        rate, channels = frame.sample_rate, frame.num_channels
        count = min(frame.samples_per_channel, rate // 10)
        data = frame.data.tobytes()[: 2 * count * channels]
        super().push_frame(rtc.AudioFrame(data, rate, channels, count))


def in_milliseconds(event: stt.SpeechEvent) -> list[stt.SpeechEvent]:
    data = event.alternatives[0]
    data.start_time, data.end_time = data.start_time * 1000, data.end_time * 1000
    data.words = [_timed(word, 1000) for word in data.words or []]
    return [event]


def from_each_utterance(event: stt.SpeechEvent) -> list[stt.SpeechEvent]:
    data = event.alternatives[0]
    data.start_time, data.end_time = 0.0, data.end_time - data.start_time
    return [event]


def without_offset(stream: Stream, event: stt.SpeechEvent) -> Iterable[stt.SpeechEvent]:
    if event.type in (FINAL, INTERIM, PREFLIGHT):
        data = event.alternatives[0]
        data.start_time -= stream.start_time_offset
        data.end_time -= stream.start_time_offset
    return [event]


def from_each_connection(stream: Stream, event: stt.SpeechEvent) -> Iterable[stt.SpeechEvent]:
    return without_offset(stream, event) if stream.attempts > 1 else [event]


def backwards(event: stt.SpeechEvent) -> list[stt.SpeechEvent]:
    data = event.alternatives[0]
    times = [(word.start_time, word.end_time) for word in data.words or []][::-1]
    data.words = [TimedString(w, *t) for w, t in zip(data.words or [], times, strict=True)]
    return [event]


def without_last_word(event: stt.SpeechEvent) -> list[stt.SpeechEvent]:
    event.alternatives[0].words = (event.alternatives[0].words or [])[:-1]
    return [event]


def _timed(word: TimedString, factor: float) -> TimedString:
    start, end = word.start_time, word.end_time
    assert isinstance(start, float) and isinstance(end, float)
    return TimedString(word, start * factor, end * factor)


MUTANTS = (
    mutant(
        "any rate taken for 16 kHz",
        TakesAnyRateFor16k,
        "any_rate",
        may_break=("stereo",),
    ),
    mutant("stereo at half the speed", TakesStereoForMono, "stereo"),
    mutant("long frames cut", CutsLongFrames, "any_frame_length"),
    mutant(
        "times in milliseconds",
        only(FINAL, in_milliseconds),
        "times_in_seconds",
        "times_count_the_offset",
        "word_times",
    ),
    mutant(
        "times of each utterance from zero",
        only(FINAL, from_each_utterance),
        "times_in_order",
        "times_in_seconds",
        "times_count_the_offset",
    ),
    mutant("offset forgotten", without_offset, "times_count_the_offset"),
    mutant("times from each connection", from_each_connection, "times_go_on_after_reconnect"),
    mutant("words backwards in time", only(FINAL, backwards), "word_times"),
    mutant("last word without time", only(FINAL, without_last_word), "word_times"),
)
