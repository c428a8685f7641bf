"""The parts of Kyutai's ear: kept audio, times, transcripts, pauses, flushes, recordings."""

import asyncio
import logging
from collections.abc import Sequence

import numpy as np
import pytest
from livekit.plugins.kyutai import backlog as backlog_module
from livekit.plugins.kyutai.backlog import Backlog
from livekit.plugins.kyutai.flush import MarkerFlush, StepFlush
from livekit.plugins.kyutai.kept_audio import KeptAudio
from livekit.plugins.kyutai.messages import FRAME_SAMPLES, SAMPLE_RATE
from livekit.plugins.kyutai.pauses import Pause, PauseDetector
from livekit.plugins.kyutai.recordings import parts
from livekit.plugins.kyutai.timeline import Timeline
from livekit.plugins.kyutai.transcript import Transcript

from tests.support.virtual_time import run

pytestmark = pytest.mark.unit


def pcm(*values: int) -> bytes:
    return np.array(values, "<i2").tobytes()


def test_kept_audio_is_read_by_its_position_in_the_stream() -> None:
    kept = KeptAudio()
    kept.add(pcm(1, 2, 3))
    kept.add(pcm(4, 5))
    kept.forget(2)
    assert (kept.start, kept.end) == (2, 5)
    assert (kept.read(3, 5) * 32768).tolist() == [4, 5]
    assert kept.read(3, 5).dtype == np.float32


def test_audio_before_a_flush_under_way_is_not_forgotten() -> None:
    kept = KeptAudio()
    kept.add(pcm(1, 2))
    kept.flush()
    kept.add(pcm(3, 4))
    kept.forget(4)
    assert (kept.start, kept.next_flush) == (2, 2)
    kept.flushed()
    kept.forget(9)
    assert (kept.start, kept.end, kept.next_flush) == (4, 4, None)
    kept.forget(1)
    assert kept.start == 4


def test_silence_of_ours_does_not_count_in_the_streams_time() -> None:
    timeline = Timeline(10.0)
    timeline.audio(SAMPLE_RATE)
    timeline.silence(2 * SAMPLE_RATE)
    timeline.audio(SAMPLE_RATE)
    assert timeline.sent == 4 * SAMPLE_RATE
    assert [timeline.seconds(moment) for moment in (0.5, 1, 2, 3, 3.5)] == [10.5, 11, 11, 11, 11.5]
    timeline.settle()
    assert timeline.seconds(3.5) == 11.5


def words_of(transcript: Transcript, until: float) -> list[tuple[str, float, float]]:
    words = transcript.data(until).words or []
    return [(str(word), float(word.start_time or 0), float(word.end_time or 0)) for word in words]


def test_a_word_ends_where_it_is_said_to_or_where_the_next_begins() -> None:
    transcript = Transcript("en")
    transcript.word("one", 1.0)
    transcript.end_word(1.3)
    transcript.word("two,", 1.5)
    transcript.word("three", 2.0)
    assert words_of(transcript, 2.1) == [("one", 1, 1.3), ("two,", 1.5, 2), ("three", 2, 2.1)]
    data = transcript.data(5.0)
    assert (data.text, data.start_time, data.end_time) == ("one two, three", 1.0, 2.4)
    assert transcript.data(5.0, timed=False).words is None


def test_a_pause_is_no_part_of_the_word_before_it() -> None:
    transcript = Transcript("en")
    transcript.word("one", 1.0)
    transcript.end_word(7.0)
    assert words_of(transcript, 9.0) == [("one", 1.0, 2.0)]


def test_times_never_go_back() -> None:
    transcript = Transcript("en")
    transcript.word("one", 1.0)
    transcript.end_word(0.2)
    transcript.word("two", 0.5)
    (_, first, first_end), (_, second, second_end) = words_of(transcript, 0.1)
    assert first < first_end <= second < second_end
    taken = transcript.take(0.1)
    assert taken
    transcript.word("three", 0.0)
    assert transcript.start == taken.end_time
    # The end of a word that was given away is of no use.
    assert transcript.take(3.0)
    transcript.end_word(4.0)
    assert transcript.take(5.0) is None


def test_words_of_any_length_make_no_transcript_of_any_length() -> None:
    transcript = Transcript("en")
    for _ in range(2):
        transcript.word("x" * 19_999, 0.0)
        assert not transcript.too_long
        transcript.word("yes", 1.0)
        assert transcript.too_long
        transcript.take(2.0)


def scored(detector: PauseDetector, score: float, steps: int = 1) -> Pause:
    for _ in range(steps):
        detector.step([0.0, 0.0, score, 0.0])
    return detector.pause


def test_two_thresholds_tell_how_sure_a_pause_is() -> None:
    detector = PauseDetector(likely=0.5, certain=0.6)
    assert scored(detector, 1.0, 12) is Pause.NONE  # it does not know yet
    assert scored(detector, 0.3) is Pause.NONE
    assert scored(detector, 0.55) is Pause.LIKELY
    assert scored(detector, 0.65) is Pause.CERTAIN
    assert scored(detector, 0.1) is Pause.NONE


def test_smoothing_lets_one_odd_score_pass() -> None:
    detector = PauseDetector(likely=None, certain=0.6, smoothing=0.5)
    scored(detector, 0.0, 20)
    assert scored(detector, 1.0) is Pause.NONE
    assert scored(detector, 1.0, 20) is Pause.CERTAIN


@pytest.mark.parametrize("scores", [[], [1.0, 1.0]])
def test_a_model_without_scores_knows_no_pause(scores: Sequence[float]) -> None:
    detector = PauseDetector(likely=0.1, certain=0.2)
    for _ in range(20):
        detector.step(scores)
    assert detector.pause is Pause.NONE


def test_thresholds_may_be_left_out() -> None:
    assert scored(PauseDetector(likely=None, certain=None), 1.0, 20) is Pause.NONE
    assert scored(PauseDetector(likely=0.5, certain=None), 1.0, 20) is Pause.LIKELY


SILENCE = 8 * FRAME_SAMPLES


async def finished(flush: StepFlush | MarkerFlush) -> bool:
    task = asyncio.ensure_future(flush.wait())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    done = task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return done


async def test_a_flush_by_steps_is_over_when_the_silence_has_come_and_gone() -> None:
    flush = StepFlush(until=10, silence=SILENCE)
    assert not flush.moved
    flush.step(3, 7 * FRAME_SAMPLES)
    assert flush.moved
    flush.step(9, FRAME_SAMPLES)
    assert not await finished(flush)
    flush.step(10, 0)
    assert await finished(flush)


async def test_steps_of_others_do_not_end_a_flush() -> None:
    flush = StepFlush(until=10, silence=SILENCE)
    for count in range(8, 30):
        flush.step(count, 0)
    assert not await finished(flush)
    flush.step(30, 7 * FRAME_SAMPLES)
    flush.step(31, 6 * FRAME_SAMPLES)
    assert not await finished(flush)
    flush.step(32, 100)
    assert await finished(flush)


def test_a_marker_that_comes_early_does_not_end_the_flush_before_the_words() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        flush = MarkerFlush(3)
        waiting = asyncio.ensure_future(flush.wait())
        await asyncio.sleep(1)
        flush.marker(2)
        await asyncio.sleep(1)
        assert not waiting.done()
        assert not flush.moved
        flush.marker(3)
        for _ in range(3):
            await asyncio.sleep(0.15)
            assert not waiting.done()
            flush.word()
        began = loop.time()
        await waiting
        assert loop.time() - began == pytest.approx(0.2)

    run(main())


def test_a_short_recording_is_sent_whole() -> None:
    recording = np.ones(40 * SAMPLE_RATE, np.int16)
    ((start, part),) = parts(recording)
    assert start == 0
    assert len(part) == len(recording)
    assert not list(parts(recording[:0]))


def test_a_long_recording_is_cut_in_the_middle_of_the_silence() -> None:
    recording = np.random.default_rng(1).integers(-9000, 9000, 100 * SAMPLE_RATE, np.int16)
    for quiet in (33, 68):
        recording[quiet * SAMPLE_RATE : quiet * SAMPLE_RATE + SAMPLE_RATE // 10] = 0
    found = list(parts(recording))
    assert [round(start / SAMPLE_RATE) for start, _ in found] == [0, 33, 68]
    assert np.array_equal(np.concatenate([part for _, part in found]), recording)
    assert all(2 * len(part) < 2 * 1024 * 1024 - 100_000 for _, part in found)


class Clock:
    """Stands where the module's clock is."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(backlog_module, "time", clock)
    return clock


def after(clock: Clock, backlog: Backlog, waiting: Sequence[float]) -> None:
    """Let seconds of audio wait, one second after another."""
    for seconds in waiting:
        clock.now += 1
        backlog.note(round(seconds * SAMPLE_RATE))


def test_a_server_that_falls_behind_is_warned_of_once(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "livekit.plugins.kyutai")
    backlog = Backlog("ws://moshi")
    after(clock, backlog, [0.5, *np.arange(2.0, 30.0, 0.4).tolist()])
    assert backlog.seconds == pytest.approx(29.6, abs=0.5)
    (record,) = caplog.records
    assert "ws://moshi is slower than real time" in record.getMessage()


def test_a_burst_that_is_worked_off_is_nothing_to_warn_of(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "livekit.plugins.kyutai")
    backlog = Backlog("ws://moshi")
    after(clock, backlog, [*np.arange(60.0, 0.0, -1.0).tolist(), *[0.1] * 30, 5.0, 4.0, 0.0])
    assert not caplog.records
