import numpy as np
import pytest

from agent.caller.onset import (
    FRAME_SAMPLES,
    SILENCE_DBFS,
    OnsetConfig,
    Segment,
    SpeechDetector,
    find_speech,
    frame_levels,
)

pytestmark = pytest.mark.unit

LOUD, QUIET = -20.0, -70.0


def levels(*runs: tuple[int, float]) -> list[float]:
    return [level for count, level in runs for _ in range(count)]


def speech(*runs: tuple[int, float]) -> list[tuple[int, int]]:
    return [(part.start, part.end) for part in find_speech(levels(*runs), OnsetConfig())]


def test_speech_starts_with_the_first_frame_of_its_run() -> None:
    assert speech((30, QUIET), (50, LOUD), (40, QUIET)) == [(30, 80)]


@pytest.mark.parametrize(("frames", "found"), [(5, []), (6, [(10, 16)])])
def test_a_run_needs_60_ms(frames: int, found: list[tuple[int, int]]) -> None:
    assert speech((10, QUIET), (frames, LOUD), (40, QUIET)) == found


@pytest.mark.parametrize(
    ("gap", "found"), [(19, [(0, 39)]), (20, [(0, 10), (30, 40)])], ids=["190 ms", "200 ms"]
)
def test_a_gap_under_200_ms_is_bridged(gap: int, found: list[tuple[int, int]]) -> None:
    assert speech((10, LOUD), (gap, QUIET), (10, LOUD), (40, QUIET)) == found


def test_clicks_are_no_speech_however_close() -> None:
    assert speech(*[(4, LOUD), (5, QUIET)] * 10) == []


def test_a_burst_soon_after_speech_is_its_end() -> None:
    assert speech((10, LOUD), (8, QUIET), (3, LOUD), (40, QUIET)) == [(0, 21)]


def test_a_click_before_speech_does_not_start_it() -> None:
    assert speech((2, LOUD), (8, QUIET), (10, LOUD)) == [(10, 20)]


def test_the_threshold_itself_is_quiet() -> None:
    assert speech((20, -45.0)) == []
    assert speech((20, -44.9)) == [(0, 20)]


def test_other_limits_can_be_set() -> None:
    config = OnsetConfig(threshold_dbfs=-30.0, min_run=0.02, max_gap=0.05)
    frames = levels((2, LOUD), (4, QUIET), (1, LOUD), (5, QUIET), (2, LOUD), (9, -35.0))
    assert find_speech(frames, config) == [Segment(0, 7), Segment(12, 14)]


def test_speech_is_known_while_it_goes_on() -> None:
    detector = SpeechDetector(OnsetConfig())
    seen = []
    for level in levels((3, QUIET), (8, LOUD)):
        detector.push(level)
        seen.append([(part.start, part.end) for part in detector.segments])
    assert seen[7] == []
    assert seen[8] == [(3, 9)]
    assert seen[10] == [(3, 11)]


def test_levels_are_rms_in_dbfs() -> None:
    sine = 32767 * np.sin(2 * np.pi * np.arange(FRAME_SAMPLES) / 48)
    pcm = np.concatenate([sine, sine / 10, np.zeros(FRAME_SAMPLES), np.ones(100)])
    assert frame_levels(pcm.astype(np.int16)) == pytest.approx(
        [-3.01, -23.01, SILENCE_DBFS], abs=0.02
    )
