import numpy as np
import pytest
from livekit.plugins.local.engine.tts.audio import PcmEncoder, silence, trim_silence
from livekit.plugins.local.engine.tts.base import Samples

pytestmark = pytest.mark.unit

RATE = 24_000


def tone(seconds: float, rate: int = RATE, hertz: float = 440.0) -> Samples:
    time = np.arange(round(seconds * rate)) / rate
    return (0.5 * np.sin(2 * np.pi * hertz * time)).astype(np.float32)


def test_silence_is_trimmed_to_10_ms_before_and_50_ms_after() -> None:
    speech = tone(1.0)
    padded = np.concatenate([silence(0.3, RATE), speech, silence(0.7, RATE)])
    trimmed = trim_silence(padded, RATE)
    assert len(trimmed) == pytest.approx(1.06 * RATE, abs=0.011 * RATE)
    start = round(0.01 * RATE)
    np.testing.assert_allclose(trimmed[start : start + len(speech)], speech, atol=1e-6)


def test_soft_sounds_at_the_edges_are_speech() -> None:
    sound = np.concatenate([0.02 * tone(0.2), tone(0.5), 0.02 * tone(0.2)])
    assert len(trim_silence(sound, RATE)) == len(sound)


@pytest.mark.parametrize("samples", [silence(0.0, RATE), silence(0.005, RATE), silence(1.0, RATE)])
def test_pure_silence_is_left_alone(samples: Samples) -> None:
    assert len(trim_silence(samples, RATE)) == len(samples)


def test_pcm_is_s16le_and_clipped() -> None:
    encoder = PcmEncoder(RATE, RATE)
    pcm = encoder.encode(np.array([0.0, 0.5, -1.0, 7.0, -7.0], np.float32)) + encoder.finish()
    assert np.frombuffer(pcm, "<i2").tolist() == [0, 16384, -32767, 32767, -32767]


def test_other_rates_are_resampled_without_a_gap() -> None:
    encoder = PcmEncoder(22_050, RATE)
    sound = tone(2.0, rate=22_050)
    pcm = b"".join(encoder.encode(chunk) for chunk in np.array_split(sound, 20)) + encoder.finish()
    samples = np.frombuffer(pcm, "<i2").astype(np.float32) / 32767
    assert len(samples) == pytest.approx(2.0 * RATE, abs=0.02 * RATE)
    middle = samples[RATE // 2 : RATE // 2 + RATE]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    assert int(spectrum.argmax()) == 440
    # All energy but one part in ten thousand is in the tone: nothing clicks.
    assert np.square(spectrum[430:451]).sum() > 0.9999 * np.square(spectrum).sum()
