import struct
import wave
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from agent.caller.onset import FRAME_SAMPLES, OnsetConfig
from agent.caller.script import load_script, read_wav
from agent.errors import UserError

pytestmark = pytest.mark.unit


def tone(rate: int, seconds: float, hz: float = 440.0) -> NDArray[np.float64]:
    return 0.25 * np.sin(2 * np.pi * hz * np.arange(round(rate * seconds)) / rate)


def save(
    path: Path, signal: NDArray[np.float64], rate: int = 48_000, channels: int = 1, width: int = 2
) -> Path:
    if width == 1:
        data = (128 + np.rint(signal * 127)).astype(np.uint8).tobytes()
    else:
        whole = np.rint(signal * (2 ** (8 * width - 1) - 1)).astype("<i8")
        data = whole.view(np.uint8).reshape(-1, 8)[:, :width].tobytes()
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(data)
    return path


def assert_is_the_tone(pcm: NDArray[np.int16], seconds: float) -> None:
    assert pcm.dtype == np.int16
    assert len(pcm) == pytest.approx(48_000 * seconds, abs=48)
    spectrum = np.abs(np.fft.rfft(pcm))
    assert np.argmax(spectrum) * 48_000 / len(pcm) == pytest.approx(440, abs=3)
    assert np.abs(pcm[1000:-1000]).max() == pytest.approx(8191, rel=0.03)


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100, 48_000, 96_000])
def test_any_rate_becomes_48_khz(tmp_path: Path, rate: int) -> None:
    assert_is_the_tone(read_wav(save(tmp_path / "a.wav", tone(rate, 0.5), rate)), 0.5)


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_any_width_becomes_16_bits(tmp_path: Path, width: int) -> None:
    assert_is_the_tone(read_wav(save(tmp_path / "a.wav", tone(48_000, 0.5), width=width)), 0.5)


def test_24_bits_keep_sign_and_size(tmp_path: Path) -> None:
    signal = np.array([0.0, 0.5, -0.5, 0.99, -0.99])
    pcm = read_wav(save(tmp_path / "a.wav", signal, width=3))
    assert pcm == pytest.approx(signal * 32767, abs=2)


def test_stereo_becomes_the_mean_of_its_channels(tmp_path: Path) -> None:
    left, right = tone(16_000, 0.5) * 2, np.zeros(8_000)
    both = np.stack([left, right], axis=1).ravel()
    assert_is_the_tone(read_wav(save(tmp_path / "a.wav", both, 16_000, channels=2)), 0.5)


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^Cannot read .*gone\.wav: No such file or directory\.$"):
        read_wav(tmp_path / "gone.wav")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"RIFF",
        b"hello, this is not a sound file at all",
        b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0" + struct.pack("<HHIIHH", 3, 1, 48000, 192000, 4, 32),
    ],
    ids=["empty", "cut", "text", "float"],
)
def test_what_is_no_pcm_wav_is_one_sentence(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "bad.wav"
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"bad\.wav is not a PCM WAV \(.+\); convert it, .*ffmpeg"):
        read_wav(path)


def test_an_odd_rate_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has 4000 samples per second"):
        read_wav(save(tmp_path / "a.wav", tone(4_000, 0.5), 4_000))


def test_a_cut_off_file_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    path = save(tmp_path / "a.wav", tone(48_000, 0.5))
    path.write_bytes(path.read_bytes()[:-1])
    assert len(read_wav(path)) == 23_999


def test_silence_around_the_words_is_not_speech(tmp_path: Path) -> None:
    parts = [np.zeros(14_400), tone(48_000, 0.4), np.zeros(24_000), tone(48_000, 0.2)]
    signal = np.concatenate([*parts, np.zeros(48_100)])
    [utterance] = load_script([save(tmp_path / "a.wav", signal)], OnsetConfig())
    assert [(part.start, part.end) for part in utterance.speech] == [(30, 70), (120, 140)]
    assert (utterance.first_voiced, utterance.last_voiced) == (30, 139)
    assert len(utterance.pcm) % FRAME_SAMPLES == 0
    assert len(utterance.pcm) >= len(signal)


def test_a_wav_without_speech_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "mute.wav", tone(48_000, 1.0) / 100)
    with pytest.raises(UserError, match=r"mute\.wav holds no speech: .* -45 dBFS for 60 ms"):
        load_script([path], OnsetConfig())


def test_a_wav_without_samples_holds_no_speech(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no speech"):
        load_script([save(tmp_path / "a.wav", np.zeros(0), 16_000)], OnsetConfig())
