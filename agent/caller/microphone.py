"""A microphone that plays utterances and is never off.

Frames of 10 ms follow each other without a gap, silence between the turns, as from a real device.
A frame's time is when it has left: the moment it was handed to the native queue plus what that
queue then held. The queue holds 100 ms, so that a late event loop does not tear the sound.
"""

import asyncio
from collections import deque
from dataclasses import dataclass
from time import perf_counter

from livekit import rtc

from agent.caller.onset import FRAME, FRAME_SAMPLES, SAMPLE_RATE
from agent.caller.script import Utterance
from agent.caller.tape import Tape

_QUEUE_MS = 100
_SILENCE = bytes(FRAME_SAMPLES * 2)


@dataclass(frozen=True, slots=True)
class Spoken:
    """When an utterance was spoken, by `time.perf_counter`.

    Attributes:
        utterance: What was spoken.
        start: Its first voiced frame left.
        end: Its last voiced frame left.
    """

    utterance: Utterance
    start: float
    end: float

    def speech(self) -> list[tuple[float, float]]:
        """Return the times between which somebody spoke, pauses left out."""
        zero = self.start - self.utterance.first_voiced * FRAME
        return [
            (zero + part.start * FRAME, zero + (part.end - 1) * FRAME)
            for part in self.utterance.speech
        ]


class Microphone:
    """Publishes one audio track; close it with `aclose`.

    Attributes:
        tape: All that left, and when.
        underruns: How often the queue ran empty because this process came too late.
    """

    def __init__(self) -> None:
        self.tape = Tape()
        self.underruns = 0
        self._source = rtc.AudioSource(SAMPLE_RATE, 1, queue_size_ms=_QUEUE_MS)
        self._pending: deque[tuple[int, bytes]] = deque()
        self._waiting: dict[int, asyncio.Future[float]] = {}
        self._closing = False
        self._task: asyncio.Task[None] | None = None

    async def publish(self, room: rtc.Room) -> None:
        """Publish the track and start to send silence."""
        track = rtc.LocalAudioTrack.create_audio_track("microphone", self._source)
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
        await room.local_participant.publish_track(track, options)
        self.start()

    def start(self) -> None:
        """Start to send silence, whether somebody listens or not."""
        self._task = asyncio.create_task(self._run())

    async def speak(self, utterance: Utterance) -> Spoken:
        """Speak, and return once the last voiced frame has left.

        The silence that ends the utterance follows, unless the next utterance takes its place.
        """
        loop = asyncio.get_running_loop()
        start, end = loop.create_future(), loop.create_future()
        self._waiting = {utterance.first_voiced: start, utterance.last_voiced: end}
        data = utterance.pcm.tobytes()
        size = len(_SILENCE)
        self._pending = deque(
            (index, data[at : at + size]) for index, at in enumerate(range(0, len(data), size))
        )
        spoken = Spoken(utterance, await self._outcome(start), await self._outcome(end))
        await asyncio.sleep(max(0.0, spoken.end - perf_counter()))
        return spoken

    async def aclose(self) -> None:
        """Stop sending, after the frame that is on its way."""
        self._closing = True
        try:
            if self._task:
                await self._task
        finally:
            await self._source.aclose()

    async def _outcome(self, left: asyncio.Future[float]) -> float:
        if self._task is None:
            raise RuntimeError("start the microphone before speaking")
        await asyncio.wait((left, self._task), return_when=asyncio.FIRST_COMPLETED)
        if not left.done():
            self._task.result()  # raises what ended it
        return left.result()

    async def _run(self) -> None:
        while not self._closing:
            index, data = self._pending.popleft() if self._pending else (-1, _SILENCE)
            if self.tape.times and self._source.queued_duration == 0.0:
                self.underruns += 1
            await self._source.capture_frame(rtc.AudioFrame(data, SAMPLE_RATE, 1, FRAME_SAMPLES))
            at = perf_counter() + self._source.queued_duration
            self.tape.append(data, at)
            if left := self._waiting.pop(index, None):
                left.set_result(at)
