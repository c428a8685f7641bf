import numpy as np
import pytest

from agent.bench.corpus import RATE
from agent.bench.stt.nonspeech import SECONDS, sounds

pytestmark = pytest.mark.unit


def test_there_are_sixty_different_sounds_and_they_are_the_same_every_time() -> None:
    made = sounds()
    assert len(made) >= 60
    assert len({sound.name for sound in made}) == len(made)
    assert len({sound.pcm.tobytes() for sound in made}) == len(made)
    sounds.cache_clear()
    assert all((one.pcm == two.pcm).all() for one, two in zip(made, sounds(), strict=True))


def test_every_sound_can_be_heard_and_none_is_distorted() -> None:
    for sound in sounds():
        assert sound.pcm.dtype == np.int16
        assert len(sound.pcm) == SECONDS * RATE
        assert np.abs(sound.pcm).max() < 32_767, sound.name
        assert 20 * np.log10(sound.pcm.std() / 32_768) > -80, sound.name


def test_hum_is_at_the_frequency_of_the_mains() -> None:
    hum = {sound.name: sound.pcm for sound in sounds()}
    for name, hertz in (("hum-0", 50), ("hum-1", 60)):
        spectrum = np.abs(np.fft.rfft(hum[name]))
        assert np.argmax(spectrum) / SECONDS == hertz
