"""A session's fake microphone and loudspeaker."""

import asyncio

import numpy as np
from livekit import rtc
from livekit.agents.utils import aio
from livekit.agents.voice import io

from tests.conformance.kit import tones
from tests.conformance.kit.stt_bench import frames

_RATE = 24_000
_PAUSE = 0.4


class Microphone(io.AudioInput):
    """Gives the session what the caller says, as fast as the session takes it."""

    def __init__(self) -> None:
        super().__init__(label="kit-microphone")
        self._frames: aio.Chan[rtc.AudioFrame] = aio.Chan()

    def say(self, text: str, *, pause: float = _PAUSE) -> None:
        """Say words, then be silent for ``pause`` seconds; without a pause the words go on."""
        silence = np.zeros(round(pause * _RATE), np.float32)
        for frame in frames(np.concatenate([tones.speak(text, _RATE), silence]), rate=_RATE):
            self._frames.send_nowait(frame)

    async def go_on(self, text: str) -> None:
        """Say words again and again, in real time, as somebody does who gets no answer."""
        while True:
            self.say(text)
            await asyncio.sleep(len(tones.words_of(text)) * tones.WORD_SECONDS + _PAUSE)

    async def __anext__(self) -> rtc.AudioFrame:
        return await self._frames.__anext__()


class Loudspeaker(io.AudioOutput):
    """Plays what the session says, and remembers what of it was heard.

    Attributes:
        speed: How many times faster than real time it plays.
        words: The words that were played to the end, over all replies.
    """

    def __init__(self, *, speed: float = 50.0) -> None:
        super().__init__(
            label="kit-loudspeaker", capabilities=io.AudioOutputCapabilities(pause=False)
        )
        self.speed = speed
        self.words: list[str] = []
        self._pending: list[rtc.AudioFrame] = []
        self._started = 0.0
        self._end: asyncio.TimerHandle | None = None

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        """Play a frame after those before it."""
        await super().capture_frame(frame)
        if not self._pending:
            self._started = asyncio.get_running_loop().time()
            self.on_playback_started(created_at=self._started)
        self._pending.append(frame)

    def flush(self) -> None:
        """The reply is complete; it ends when it has been played."""
        super().flush()
        if self._pending and self._end is None:
            loop = asyncio.get_running_loop()
            self._end = loop.call_at(self._started + self._seconds / self.speed, self._finish)

    def clear_buffer(self) -> None:
        """Stop at once."""
        if self._pending:
            self._finish(interrupted=True)

    @property
    def _seconds(self) -> float:
        return sum(frame.duration for frame in self._pending)

    def _finish(self, *, interrupted: bool = False) -> None:
        if self._end:
            self._end.cancel()
        seconds, self._end = self._seconds, None
        if interrupted:
            elapsed = asyncio.get_running_loop().time() - self._started
            seconds = min(seconds, elapsed * self.speed)
        pcm = b"".join(bytes(frame.data) for frame in self._pending)
        samples = np.frombuffer(pcm, np.int16).astype(np.float32) / np.float32(32768)
        self.words += tones.hear(samples[: round(seconds * _RATE)], _RATE)
        self._pending = []
        self.on_playback_finished(playback_position=seconds, interrupted=interrupted)
