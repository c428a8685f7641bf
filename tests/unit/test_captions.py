"""Captions go by the words' own times; the framework's estimate from the sound costs nothing."""

import asyncio
from collections.abc import AsyncIterator

import numpy as np
import pytest
from livekit import rtc
from livekit.agents.voice import io
from livekit.agents.voice.transcription import TranscriptSynchronizer
from livekit.agents.voice.transcription._speaking_rate import SpeakingRateStream

from agent.call.captions import spare_rate_estimate

pytestmark = pytest.mark.unit

RATE = 24_000
SPEECH = rtc.AudioFrame(
    (np.sin(np.arange(2 * RATE) / 20) * 9_000).astype(np.int16).tobytes(), RATE, 1, 2 * RATE
)


class Speaker(io.AudioOutput):
    def __init__(self) -> None:
        super().__init__(label="test", capabilities=io.AudioOutputCapabilities(pause=False))

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        await super().capture_frame(frame)

    def flush(self) -> None:
        super().flush()

    def clear_buffer(self) -> None: ...


class Captions(io.TextOutput):
    def __init__(self) -> None:
        super().__init__(label="test", next_in_chain=None)
        self.words: asyncio.Queue[str] = asyncio.Queue()

    async def capture_text(self, text: str) -> None:
        self.words.put_nowait(text)

    def flush(self) -> None: ...


@pytest.fixture
def estimates(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the sizes of what the framework judged by its sound."""
    judged: list[int] = []

    def judge(_: SpeakingRateStream, audio: np.ndarray, rate: int) -> float:
        judged.append(len(audio))
        return 1.0

    monkeypatch.setattr(SpeakingRateStream, "_compute_speaking_rate", judge)
    # Put back after the test whatever the test makes of it.
    monkeypatch.setattr(SpeakingRateStream, "push_frame", SpeakingRateStream.push_frame)
    return judged


@pytest.fixture
async def captions() -> AsyncIterator[Captions]:
    """Return the captions of a reply of two words whose sound is two seconds long."""
    text, audio = Captions(), Speaker()
    synchronizer = TranscriptSynchronizer(next_in_chain_audio=audio, next_in_chain_text=text)
    await synchronizer.audio_output.capture_frame(SPEECH)
    for word, start in (("Good ", 0.0), ("morning. ", 0.05)):
        await synchronizer.text_output.capture_text(
            io.TimedString(word, start_time=start, end_time=start + 0.05)
        )
    synchronizer.audio_output.flush()
    synchronizer.text_output.flush()
    audio.on_playback_started(created_at=0.0)
    yield text
    await synchronizer.aclose()


@pytest.fixture
def spared(estimates: list[int]) -> None:
    spare_rate_estimate()


async def test_the_sound_is_not_judged(
    spared: None, captions: Captions, estimates: list[int]
) -> None:
    said = ""
    async with asyncio.timeout(5):
        while said.split() != ["Good", "morning."]:
            said += await captions.words.get()
    assert estimates == []


async def test_the_framework_would_judge_it(estimates: list[int], captions: Captions) -> None:
    """If this fails, the framework has changed: see whether `call.captions` is needed."""
    async with asyncio.timeout(5):
        await captions.words.get()
    assert estimates
