"""Whole recordings, transcribed over HTTP."""

import asyncio
import io
import json
import wave
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from livekit import rtc
from livekit.agents import APIConnectionError, stt
from livekit.plugins.kyutai.messages import (
    FRAME_SAMPLES,
    SAMPLE_RATE,
    EndWord,
    ProtocolError,
    Word,
    decode_fields,
)
from livekit.plugins.kyutai.server import MoshiServer
from livekit.plugins.kyutai.speech_models import SpeechModel
from livekit.plugins.kyutai.transcript import Transcript
from numpy.typing import NDArray

Pcm = NDArray[np.int16]
"""Mono audio at `SAMPLE_RATE`, shape ``(samples,)``."""

_LONGEST = 40 * SAMPLE_RATE
"""Samples of one request: the server takes 2 MB."""
_SEARCH = 10 * SAMPLE_RATE
"""Samples at the end of a part among which the quietest moment is looked for, to cut there."""
_WINDOW = SAMPLE_RATE // 20
_TAIL = 6 * FRAME_SAMPLES
"""Samples of silence at the end: the server answers a moment before it has written everything."""
_MAX_ANSWER = 4 * 1024 * 1024
"""Bytes; a word takes some 60."""


@dataclass(frozen=True, slots=True)
class Recogniser:
    """Sends recordings to a server.

    Attributes:
        server: The server.
        path: Path of its module.
        model: The model that it runs.
    """

    server: MoshiServer
    path: str
    model: SpeechModel

    async def recognise(self, recording: Pcm, *, language: str, timeout: float) -> stt.SpeechData:
        """Return what is said in a recording; the text is empty if nothing is.

        Args:
            recording: The audio.
            language: What the transcript names as its language.
            timeout: Seconds that the server may take for each part, on top of its duration.

        Raises:
            APIError: The server refused, failed or did not answer in time.
        """
        transcript = Transcript(language)
        for start, part in parts(recording):
            seconds = timeout + len(part) / SAMPLE_RATE
            async with asyncio.timeout(seconds):
                answer = await self._post(part, seconds)
            offset = start / SAMPLE_RATE - self.model.lead
            for item in _words(answer):
                if isinstance(item, Word) and item.text.strip():
                    transcript.word(item.text.strip(), item.start + offset)
                elif isinstance(item, EndWord):
                    transcript.end_word(item.stop + offset)
        return transcript.data(len(recording) / SAMPLE_RATE)

    async def _post(self, part: Pcm, timeout: float) -> bytes:
        lead = np.zeros(round(self.model.lead * SAMPLE_RATE), np.int16)
        body = _wav(np.concatenate([lead, part, np.zeros(_TAIL, np.int16)]))
        async with self.server.post(
            self.path, body=body, content_type="audio/wav", timeout=timeout
        ) as response:
            answer = bytearray()
            async for piece in response.content.iter_any():
                answer += piece
                if len(answer) > _MAX_ANSWER:
                    raise APIConnectionError("the moshi-server's transcript has no end")
            return bytes(answer)


def samples_of(frames: Sequence[rtc.AudioFrame] | rtc.AudioFrame) -> Pcm:
    """Return a recording of any rate and number of channels as `Pcm`."""
    frames = [frames] if isinstance(frames, rtc.AudioFrame) else list(frames)
    mixed = [mono(frame) for frame in frames]
    if mixed and mixed[0].sample_rate != SAMPLE_RATE:
        quality = rtc.AudioResamplerQuality.HIGH
        resampler = rtc.AudioResampler(mixed[0].sample_rate, SAMPLE_RATE, quality=quality)
        mixed = [piece for frame in mixed for piece in resampler.push(frame)] + resampler.flush()
    pieces = [np.frombuffer(frame.data, np.int16) for frame in mixed]
    return np.concatenate(pieces) if pieces else np.zeros(0, np.int16)


def mono(frame: rtc.AudioFrame) -> rtc.AudioFrame:
    """Return a frame with its channels mixed down to one."""
    if frame.num_channels == 1:
        return frame
    samples = np.frombuffer(frame.data, np.int16).reshape(-1, frame.num_channels)
    mixed = samples.mean(axis=1).astype("<i2").tobytes()
    return rtc.AudioFrame(mixed, frame.sample_rate, 1, len(samples))


def parts(recording: Pcm) -> Iterator[tuple[int, Pcm]]:
    """Yield a recording in parts that the server takes, with the sample where each begins."""
    start = 0
    while len(recording) - start > _LONGEST:
        end = start + _LONGEST
        end -= _SEARCH - _quietest(recording[end - _SEARCH : end])
        yield start, recording[start:end]
        start = end
    if start < len(recording):
        yield start, recording[start:]


def _quietest(samples: Pcm) -> int:
    """Return the middle of the quietest window."""
    windows = samples[: len(samples) // _WINDOW * _WINDOW].reshape(-1, _WINDOW)
    power = np.square(windows.astype(np.float32)).mean(axis=1)
    return int(np.argmin(power)) * _WINDOW + _WINDOW // 2


def _wav(samples: Pcm) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(SAMPLE_RATE)
        writer.writeframes(samples.astype("<i2").tobytes())
    return file.getvalue()


def _words(answer: bytes) -> Iterator[object]:
    try:
        items = json.loads(answer)
        if not isinstance(items, list):
            raise ProtocolError("no list of words came")
        for item in items:
            yield decode_fields(item)
    except (ValueError, RecursionError) as error:
        what = error if isinstance(error, ProtocolError) else "no JSON came"
        raise APIConnectionError(f"the moshi-server broke the protocol: {what}") from None
