"""Any audio file becomes the PCM of a call; what is none is refused."""

import io
import socket
import wave
from pathlib import Path

import av
import numpy as np
import pytest
from livekit.plugins.local.engine.openai import decoding
from livekit.plugins.local.engine.openai.decoding import AudioReader
from livekit.plugins.local.engine.openai.errors import ApiError

pytestmark = pytest.mark.unit

RATE = 16_000


def tone(seconds: float, rate: int) -> np.ndarray:
    return (np.sin(2 * np.pi * 440 * np.arange(int(seconds * rate)) / rate) * 12_000).astype("<i2")


def wav(samples: np.ndarray, rate: int, channels: int = 1) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as audio:
        audio.setnchannels(channels)
        audio.setsampwidth(2)
        audio.setframerate(rate)
        audio.writeframes(np.repeat(samples, channels).tobytes())
    return file.getvalue()


def written(muxer: str, codec: str, rate: int = 48_000, seconds: float = 2.0) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format=muxer) as output:
        stream = output.add_stream(codec, rate=rate, layout="mono")
        assert isinstance(stream, av.AudioStream)
        frame = av.AudioFrame.from_ndarray(tone(seconds, rate)[np.newaxis], "s16", "mono")
        frame.rate = rate
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return file.getvalue()


def read(data: bytes) -> np.ndarray:
    reader = AudioReader(data)
    pcm = b""
    while block := reader.read():
        pcm += block
    reader.close()
    assert reader.seconds == len(pcm) / 2 / RATE
    return np.frombuffer(pcm, "<i2")


def refusal(data: bytes) -> ApiError:
    with pytest.raises(ApiError) as failure:
        read(data)
    return failure.value


def test_a_wav_of_the_streams_own_rate_is_unchanged() -> None:
    samples = tone(12.3, RATE)
    assert np.array_equal(read(wav(samples, RATE)), samples)


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_other_rates_and_stereo_become_the_same_tone(rate: int, channels: int) -> None:
    samples = read(wav(tone(2.0, rate), rate, channels))
    assert len(samples) / RATE == pytest.approx(2.0, abs=0.01)
    assert np.argmax(np.abs(np.fft.rfft(samples[:RATE]))) == pytest.approx(440, abs=2)


@pytest.mark.parametrize(
    ("muxer", "codec"),
    [
        ("mp3", "libmp3lame"),
        ("ogg", "libopus"),
        ("webm", "libopus"),
        ("flac", "flac"),
        ("ipod", "aac"),
        ("mp4", "aac"),
        ("adts", "aac"),
        ("aiff", "pcm_s16be"),
    ],
)
def test_every_format_of_the_list_is_decoded(muxer: str, codec: str) -> None:
    samples = read(written(muxer, codec))
    assert len(samples) / RATE == pytest.approx(2.0, abs=0.1)
    assert np.argmax(np.abs(np.fft.rfft(samples[4000 : 4000 + RATE]))) == pytest.approx(440, abs=2)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not audio at all",
        b"%PDF-1.7\n" * 1000,
        b"\x89PNG\r\n\x1a\n" + bytes(1000),
        np.random.default_rng(1).bytes(100_000),
        wav(tone(0.0, RATE), RATE),
        wav(tone(1.0, RATE), RATE)[:20],
    ],
    ids=["empty", "text", "pdf", "png", "noise", "no samples", "half a header"],
)
def test_what_is_not_audio_is_refused(data: bytes) -> None:
    error = refusal(data)
    assert (error.status, error.param, error.code) == (400, "file", "invalid_audio")


def test_a_file_that_breaks_off_is_audio_up_to_there() -> None:
    data = written("mp3", "libmp3lame")
    assert 0.5 < len(read(data[: len(data) // 2])) / RATE < 1.5


def test_audio_that_is_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "MAX_SECONDS", 11)
    read(wav(tone(10.9, RATE), RATE))
    assert refusal(wav(tone(11.1, RATE), RATE)).code == "audio_too_long"


def test_a_playlist_opens_no_address_and_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("secret.wav").write_bytes(wav(tone(1.0, RATE), RATE))
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/a.ts"
        for target in (address, "secret.wav", str(Path("secret.wav").resolve())):
            playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{target}\n#EXT-X-ENDLIST\n"
            concat = f"ffconcat version 1.0\nfile '{target}'\n"
            assert refusal(playlist.encode()).code == "invalid_audio"
            assert refusal(concat.encode()).code == "invalid_audio"
        with pytest.raises(TimeoutError):
            server.accept()
