"""The shortcut over silence changes nothing."""

import numpy as np
import pytest
from faster_whisper.feature_extractor import FeatureExtractor
from livekit.plugins.local.engine.stt.spectrogram import spectrogram

pytestmark = pytest.mark.unit

RATE = 16_000


@pytest.mark.parametrize("seconds", [0.03, 1, 2.345, 9.95, 10, 12])
@pytest.mark.parametrize("level", [0.0, 1e-4, 0.3])
def test_it_is_the_spectrogram_of_audio_and_zeros(seconds: float, level: float) -> None:
    noise = np.random.default_rng(1).standard_normal(int(seconds * RATE))
    audio = (level * noise).astype(np.float32)
    padded = np.zeros(10 * RATE, np.float32)
    padded[: len(audio)] = audio[: len(padded)]
    transform = FeatureExtractor(feature_size=80)
    expected = transform(padded)[:, :1000]
    # Matrices of other sizes are added up in another order.
    np.testing.assert_allclose(spectrogram(transform, audio, 10), expected, atol=1e-6)
