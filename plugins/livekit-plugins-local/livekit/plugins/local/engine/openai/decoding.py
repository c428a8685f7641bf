"""Any audio file, as the PCM that a speech-to-text stream takes."""

import io
from collections.abc import Generator
from typing import TYPE_CHECKING

from livekit.plugins.local.engine.openai.errors import ApiError
from livekit.plugins.local.protocol import STT_SAMPLE_RATE

if TYPE_CHECKING:
    import av

MAX_SECONDS = 2 * 60 * 60
"""Longest audio, in seconds."""

_BLOCK_SECONDS = 5.0
# Only formats that are one file. Playlists would make FFmpeg open other files and addresses.
_DEMUXERS = "aac,aiff,amr,caf,flac,matroska,mov,mp3,mpeg,ogg,wav,w64"


class AudioReader:
    """Decodes an audio file block by block; used on threads, one call at a time.

    Args:
        data: The file: WAV, MP3, MP4, M4A, OGG, WebM, FLAC and the like.
    """

    def __init__(self, data: bytes | bytearray) -> None:
        self._blocks = _decode(data)
        self._samples = 0

    @property
    def seconds(self) -> float:
        """Length of what was read so far, in seconds of audio."""
        return self._samples / STT_SAMPLE_RATE

    def read(self) -> bytes:
        """Return the next seconds: s16le mono at `STT_SAMPLE_RATE`; nothing at the end.

        Raises:
            ApiError: The file is not audio, or too long.
        """
        block = bytearray()
        while len(block) < 2 * _BLOCK_SECONDS * STT_SAMPLE_RATE and (
            pcm := next(self._blocks, b"")
        ):
            block += pcm
        self._samples += len(block) // 2
        if self.seconds > MAX_SECONDS:
            raise ApiError(
                400,
                f"The audio is longer than {MAX_SECONDS // 3600} hours; cut it into parts.",
                param="file",
                code="audio_too_long",
            )
        if not self._samples:
            raise _not_audio()
        return bytes(block)

    def close(self) -> None:
        """Free what the decoder holds."""
        self._blocks.close()


def _decode(data: bytes | bytearray) -> Generator[bytes, None, None]:
    # Loaded here, because most engines never need it.
    import av

    options = {"format_whitelist": _DEMUXERS, "protocol_whitelist": "none"}
    try:
        source = av.open(io.BytesIO(data), "r", options=options, metadata_errors="replace")
    except (av.FFmpegError, ValueError):
        raise _not_audio() from None
    with source:
        if not source.streams.audio:
            raise _not_audio()
        resampler = _resampler()
        for frame in _frames(source):
            try:
                resampled = resampler.resample(frame)
            except ValueError:
                # Chained recordings may change their rate or channels on the way.
                resampler = _resampler()
                resampled = resampler.resample(frame)
            for part in resampled:
                yield part.to_ndarray().tobytes()
        for part in resampler.resample(None):
            yield part.to_ndarray().tobytes()


def _frames(source: "av.container.InputContainer") -> "Generator[av.AudioFrame, None, None]":
    """Decode the first audio track; a file that breaks off is audio up to there."""
    import av

    packets = source.demux(source.streams.audio[0])
    while True:
        try:
            packet = next(packets, None)
            frames = packet.decode() if packet is not None else None
        except av.InvalidDataError:
            continue
        except av.FFmpegError:
            return
        if frames is None:
            return
        yield from frames


def _resampler() -> "av.AudioResampler":
    import av

    return av.AudioResampler(format="s16", layout="mono", rate=STT_SAMPLE_RATE)


def _not_audio() -> ApiError:
    return ApiError(
        400,
        "The file is not audio that can be decoded; send WAV, MP3, MP4, M4A, OGG, WebM or FLAC.",
        param="file",
        code="invalid_audio",
    )
