"""Speech as it is made, in the formats that requests may ask for.

PCM is signed 16-bit little-endian mono at `TTS_SAMPLE_RATE`. Encoders and their libraries are
slow enough to be used on a thread, one call at a time.
"""

import struct
from typing import TYPE_CHECKING, NamedTuple, Protocol, cast

import numpy as np
from livekit.plugins.local.protocol import TTS_SAMPLE_RATE

if TYPE_CHECKING:
    import av


class Encoder(Protocol):
    """Turns PCM into one format, chunk by chunk."""

    def encode(self, pcm: bytes) -> bytes:
        """Return what the chunk completes, possibly nothing."""
        ...

    def finish(self) -> bytes:
        """Return the rest; nothing can be encoded any more."""
        ...

    def close(self) -> None:
        """Free what the encoder holds; harmless when repeated."""
        ...


class _Container(NamedTuple):
    """How FFmpeg makes a format: its options keep it from waiting for more than one frame."""

    muxer: str
    codec: str
    bit_rate: int | None
    options: dict[str, str]


_CONTAINERS = {
    "mp3": _Container("mp3", "libmp3lame", 64_000, {"write_xing": "0", "id3v2_version": "0"}),
    "aac": _Container("adts", "aac", 64_000, {}),
    "opus": _Container("ogg", "libopus", 48_000, {"page_duration": "20000"}),
    "flac": _Container("flac", "flac", None, {}),
}
CONTENT_TYPES = {
    "mp3": "audio/mpeg",
    "opus": "audio/ogg",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "pcm": "audio/pcm",
}
"""The formats, and what a response calls them."""


def make_encoder(name: str) -> Encoder:
    """Return an encoder for one of `CONTENT_TYPES`."""
    if name in _CONTAINERS:
        return _FFmpegEncoder(_CONTAINERS[name])
    return _RawEncoder(_wav_header() if name == "wav" else b"")


class _RawEncoder:
    """PCM as it is, behind a header."""

    def __init__(self, header: bytes) -> None:
        self._header = header

    def encode(self, pcm: bytes) -> bytes:
        header, self._header = self._header, b""
        return header + pcm

    def finish(self) -> bytes:
        return self.encode(b"")

    def close(self) -> None:
        pass


class _Sink:
    """Where a muxer writes to; it cannot seek back in what has been sent."""

    def __init__(self) -> None:
        self._written = bytearray()

    def write(self, data: bytes) -> int:
        self._written += data
        return len(data)

    def take(self) -> bytes:
        taken = bytes(self._written)
        self._written.clear()
        return taken


class _FFmpegEncoder:
    def __init__(self, kind: _Container) -> None:
        # Loaded here, because most engines never need it.
        import av

        self._frame = av.AudioFrame
        self._sink = _Sink()
        options = {**kind.options, "flush_packets": "1"}
        self._output = av.open(self._sink, "w", format=kind.muxer, options=options)
        stream = self._output.add_stream(kind.codec, rate=TTS_SAMPLE_RATE, layout="mono")
        self._stream = cast("av.AudioStream", stream)
        if kind.bit_rate:
            self._stream.bit_rate = kind.bit_rate
        self._samples = 0

    def encode(self, pcm: bytes) -> bytes:
        if pcm:
            samples = np.frombuffer(pcm, "<i2")[np.newaxis]
            frame = self._frame.from_ndarray(samples, format="s16", layout="mono")
            frame.rate = TTS_SAMPLE_RATE
            frame.pts = self._samples
            self._samples += samples.size
            self._output.mux(self._stream.encode(frame))
        return self._sink.take()

    def finish(self) -> bytes:
        self._output.mux(self._stream.encode(None))
        self.close()
        return self._sink.take()

    def close(self) -> None:
        self._output.close()


def _wav_header() -> bytes:
    """Return the header of a WAV file of unknown length, which the largest length stands for."""
    unknown, channels, width = 0xFFFFFFFF, 1, 2
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF",
        unknown,
        b"WAVE",
        b"fmt ",
        16,
        1,
        channels,
        TTS_SAMPLE_RATE,
        TTS_SAMPLE_RATE * channels * width,
        channels * width,
        8 * width,
        b"data",
        unknown,
    )
