"""What the caller hears: the agent's audio, stamped as it arrives.

A frame's time is when it reached this process, decoded: after Opus, the server and the jitter
buffer, before any loudspeaker.
"""

import asyncio
from time import perf_counter

import numpy as np
from livekit import rtc

from agent.caller.onset import (
    FRAME,
    SAMPLE_RATE,
    OnsetConfig,
    Segment,
    SpeechDetector,
    frame_levels,
)
from agent.caller.tape import Tape
from agent.caller.tasks import stop


class Ear:
    """Listens to one audio track; close it with `aclose`.

    Attributes:
        tape: All that arrived, and when.
    """

    def __init__(self, config: OnsetConfig) -> None:
        self.tape = Tape()
        self._detector = SpeechDetector(config)
        self._task: asyncio.Task[None] | None = None

    @property
    def listening(self) -> bool:
        """Whether there is a track to listen to."""
        return self._task is not None and not self._task.done()

    @property
    def speech(self) -> list[Segment]:
        """The agent's speech so far, in frames of the tape; the last segment may still grow."""
        return self._detector.segments

    def listen(self, track: rtc.Track) -> None:
        """Listen to ``track`` unless there is one already."""
        if not self.listening:
            self._task = asyncio.create_task(self._run(track))

    def hear(self, pcm: bytes, at: float) -> None:
        """Take a frame of 480 samples that arrived at ``at``."""
        self.tape.append(pcm, at)
        self._detector.push(float(frame_levels(np.frombuffer(pcm, np.int16))[0]))

    def start(self, segment: Segment) -> float:
        """Return when the first frame of a segment arrived, by `time.perf_counter`."""
        return self.tape.times[segment.start]

    def end(self, segment: Segment) -> float:
        """Return when the last frame of a segment arrived, by `time.perf_counter`."""
        return self.tape.times[segment.end - 1]

    async def aclose(self) -> None:
        """Stop listening."""
        await stop([self._task] if self._task else [])

    async def _run(self, track: rtc.Track) -> None:
        stream = rtc.AudioStream.from_track(
            track=track,
            sample_rate=SAMPLE_RATE,
            num_channels=1,
            frame_size_ms=round(FRAME * 1000),
        )
        try:
            async for event in stream:
                self.hear(event.frame.data.tobytes(), perf_counter())
        finally:
            await stream.aclose()
