import wave
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from agent.caller.tape import Recording, Tape, write_wav

pytestmark = pytest.mark.unit


def frame(value: int) -> bytes:
    return np.full(480, value, np.int16).tobytes()


def tape(*times: float) -> Tape:
    made = Tape()
    for value, at in enumerate(times, 1):
        made.append(frame(value), at)
    return made


def values(pcm: NDArray[np.int16]) -> list[int]:
    assert len(pcm) % 480 == 0
    return [int(value) for value in pcm[::480]]


def test_frames_follow_each_other_whatever_their_jitter() -> None:
    recording = tape(10.00, 10.01, 10.14, 10.14, 10.15).recording()
    assert values(recording.pcm) == [1, 2, 3, 4, 5]
    assert recording.origin == pytest.approx(9.99)


def test_a_long_silence_of_the_line_is_kept() -> None:
    recording = tape(10.0, 10.01, 11.02, 11.03).recording()
    assert values(recording.pcm) == [1, 2, *[0] * 100, 3, 4]


def test_an_empty_tape_is_an_empty_recording() -> None:
    assert len(Tape().recording().pcm) == 0
    assert Tape().longest_gap() == 0.0


def test_the_longest_gap_is_found() -> None:
    assert tape(1.0, 1.01, 1.05, 1.06).longest_gap() == pytest.approx(0.04)


def test_a_cut_stops_at_the_ends_of_the_tape() -> None:
    made = tape(1.0, 1.01, 1.02, 1.03)
    assert values(made.cut(1, 3)) == [2, 3]
    assert values(made.cut(-5, 99)) == [1, 2, 3, 4]


def read(path: Path) -> NDArray[np.int16]:
    with wave.open(str(path)) as file:
        assert (file.getsampwidth(), file.getframerate()) == (2, 48_000)
        data = np.frombuffer(file.readframes(file.getnframes()), np.int16)
        return data.reshape(-1, file.getnchannels())


def test_channels_start_when_they_started(tmp_path: Path) -> None:
    early = Recording(np.array([1, 2, 3], np.int16), 100.0)
    late = Recording(np.array([7, 8], np.int16), 100.0 + 2 / 48_000)
    write_wav(tmp_path / "a.wav", early, late)
    assert read(tmp_path / "a.wav").tolist() == [[1, 0], [2, 0], [3, 7], [0, 8]]


def test_a_side_that_said_nothing_is_silent(tmp_path: Path) -> None:
    said = Recording(np.array([1, 2], np.int16), 5000.0)
    write_wav(tmp_path / "a.wav", said, Tape().recording())
    assert read(tmp_path / "a.wav").tolist() == [[1, 0], [2, 0]]
    write_wav(tmp_path / "b.wav", Tape().recording())
    assert read(tmp_path / "b.wav").tolist() == []
