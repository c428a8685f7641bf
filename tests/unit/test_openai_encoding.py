"""Speech in OpenAI's formats: whole, unchanged in length, and without waiting for the end."""

import io
import wave

import av
import numpy as np
import pytest
from livekit.plugins.local.engine.openai.encoding import CONTENT_TYPES, make_encoder

pytestmark = pytest.mark.unit

RATE = 24_000
TONE = (np.sin(2 * np.pi * 440 * np.arange(2 * RATE) / RATE) * 12_000).astype("<i2")
PIECE = RATE // 10


def encoded(name: str) -> list[bytes]:
    """The tone, in pieces of 0.1 s, and then the rest."""
    encoder = make_encoder(name)
    pieces = [TONE[at : at + PIECE].tobytes() for at in range(0, len(TONE), PIECE)]
    return [*(encoder.encode(piece) for piece in pieces), encoder.finish()]


def decoded(data: bytes) -> np.ndarray:
    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
    with av.open(io.BytesIO(data), "r") as source:
        frames = [part for frame in source.decode(audio=0) for part in resampler.resample(frame)]
    return np.concatenate([frame.to_ndarray()[0] for frame in [*frames, *resampler.resample(None)]])


@pytest.mark.parametrize("name", ["mp3", "opus", "aac", "flac"])
def test_what_comes_out_is_the_tone_that_went_in(name: str) -> None:
    samples = decoded(b"".join(encoded(name)))
    assert len(samples) / RATE == pytest.approx(2.0, abs=0.15)
    middle = samples[RATE // 2 : RATE // 2 + RATE].astype(float)
    assert np.argmax(np.abs(np.fft.rfft(middle))) == pytest.approx(440, abs=2)
    assert middle.std() == pytest.approx(TONE.std(), rel=0.1)


def test_flac_is_lossless() -> None:
    assert np.array_equal(decoded(b"".join(encoded("flac"))), TONE)


@pytest.mark.parametrize("name", list(CONTENT_TYPES))
def test_every_piece_gives_bytes_at_once(name: str) -> None:
    *pieces, _ = encoded(name)
    assert all(pieces)


def test_pcm_is_what_it_was() -> None:
    assert b"".join(encoded("pcm")) == TONE.tobytes()


def test_a_wav_of_unknown_length_is_read_to_its_end() -> None:
    data = b"".join(encoded("wav"))
    with wave.open(io.BytesIO(data)) as audio:
        assert (audio.getframerate(), audio.getnchannels(), audio.getsampwidth()) == (RATE, 1, 2)
    assert np.array_equal(decoded(data), TONE)


def test_an_encoder_that_is_abandoned_closes_quietly() -> None:
    for name in CONTENT_TYPES:
        encoder = make_encoder(name)
        encoder.encode(TONE[:PIECE].tobytes())
        encoder.close()
        encoder.close()
        make_encoder(name).close()
