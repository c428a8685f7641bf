"""An agent that speaks in tones and notes when it does what."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from time import perf_counter
from typing import Any

import numpy as np
from livekit import api, rtc
from numpy.typing import NDArray

from tests.support.livekit import RunningLiveKit

RATE = 48_000
GREETING_HZ, ANSWER_HZ = 600, 900
TONE = 0.5
DELAY = 0.3


def sound(hz: float, seconds: float) -> NDArray[np.int16]:
    t = np.arange(round(RATE * seconds)) / RATE
    waves = sum(np.sin(2 * np.pi * hz * harmonic * t) / harmonic for harmonic in (1, 2, 3))
    return np.asarray(6000 * waves, np.int16)


class ToneAgent:
    """Greets with a tone, and answers one `DELAY` after it heard the caller's last sound.

    Attributes:
        heard_end: When the caller's last sound before each answer arrived here.
        played: When the first frame of each answer was handed over for sending.
        stopped: When an answer was cut off because the caller spoke into it.
        answering: Set once it has begun to answer.
    """

    def __init__(self, answers: list[float]) -> None:
        self.heard_end: list[float] = []
        self.played: list[float] = []
        self.stopped: list[float] = []
        self.answering = asyncio.Event()
        self.room = rtc.Room()
        self._answers = answers
        self._source = rtc.AudioSource(RATE, 1, queue_size_ms=200)
        self._tasks: list[asyncio.Task[None]] = []
        self._playing: asyncio.Task[None] | None = None
        self._caller = ""
        self.room.on("track_subscribed", self._on_track)

    async def join(self, livekit: RunningLiveKit, room: str) -> None:
        token = (
            api.AccessToken(livekit.api_key, livekit.api_secret)
            .with_identity("tone-agent")
            .with_kind("agent")
            .with_grants(
                api.VideoGrants(room_join=True, room=room, agent=True, can_update_own_metadata=True)
            )
        )
        await self.room.connect(livekit.url, token.to_jwt())
        await self._state("initializing")
        track = rtc.LocalAudioTrack.create_audio_track("voice", self._source)
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
        publication = await self.room.local_participant.publish_track(track, options)
        self._start(self._greet(publication))

    async def aclose(self) -> None:
        for task in self._tasks:
            task.cancel()
        outcomes = await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.room.disconnect()
        await self._source.aclose()
        assert [error for error in outcomes if isinstance(error, Exception)] == []

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.append(task)
        return task

    def _on_track(self, track: rtc.Track, _: object, participant: rtc.RemoteParticipant) -> None:
        self._caller = participant.identity
        self._start(self._listen(track))

    async def _greet(self, publication: rtc.LocalTrackPublication) -> None:
        await publication.wait_for_subscription()
        await self._state("speaking")
        await self._say("tone-agent", "greeting", ["Hel", "lo."])
        await self._play(GREETING_HZ, TONE)
        await self._state("listening")

    async def _listen(self, track: rtc.Track) -> None:
        stream = rtc.AudioStream.from_track(
            track=track, sample_rate=RATE, num_channels=1, frame_size_ms=10
        )
        loud, last = 0, 0.0
        try:
            async for event in stream:
                now = perf_counter()
                if np.abs(np.frombuffer(event.frame.data, np.int16)).max() > 1500:
                    loud, last = loud + 1, now
                elif loud and now - last > 0.2:
                    loud = 0
                    self._start(self._answer(last))
                if loud == 10 and self._playing and not self._playing.done():
                    self._start(self._interrupt(self._playing))
        finally:
            await stream.aclose()

    async def _answer(self, heard_end: float) -> None:
        await self._understand("What is", final=False)
        await self._understand("What is this?", final=True)
        await self._state("thinking")
        self.heard_end.append(heard_end)
        await asyncio.sleep(heard_end + DELAY - perf_counter())
        await self._state("speaking")
        self.played.append(perf_counter())
        self.answering.set()
        self._playing = self._start(self._speak(self._answers.pop(0)))

    async def _speak(self, seconds: float) -> None:
        await self._say("tone-agent", secrets.token_hex(4), ["It is ", "a tone."])
        await self._play(ANSWER_HZ, seconds)
        await self._state("listening")

    async def _interrupt(self, playing: asyncio.Task[None]) -> None:
        playing.cancel()
        self._source.clear_queue()
        self.stopped.append(perf_counter())
        await self._state("listening")

    async def _play(self, hz: float, seconds: float) -> None:
        data = sound(hz, seconds)
        for at in range(0, len(data), RATE // 100):
            piece = data[at : at + RATE // 100]
            await self._source.capture_frame(rtc.AudioFrame(piece.tobytes(), RATE, 1, len(piece)))
        await self._source.wait_for_playout()

    async def _state(self, state: str) -> None:
        await self.room.local_participant.set_attributes({"lk.agent.state": state})

    async def _say(self, speaker: str, segment: str, chunks: list[str]) -> None:
        writer = await self._stream(speaker, segment, final=False)
        for chunk in chunks:
            await writer.write(chunk)
        await writer.aclose(attributes={"lk.transcription_final": "true"})

    async def _understand(self, text: str, *, final: bool) -> None:
        segment = f"user-{len(self.played)}"
        writer = await self._stream(self._caller, segment, final=final)
        await writer.write(text)
        await writer.aclose()

    async def _stream(self, speaker: str, segment: str, *, final: bool) -> rtc.TextStreamWriter:
        return await self.room.local_participant.stream_text(
            topic="lk.transcription",
            sender_identity=speaker,
            attributes={
                "lk.segment_id": segment,
                "lk.transcription_final": "true" if final else "false",
            },
        )


@asynccontextmanager
async def tone_agent(
    livekit: RunningLiveKit, room: str, answers: list[float]
) -> AsyncIterator[ToneAgent]:
    agent = ToneAgent(answers)
    await agent.join(livekit, room)
    try:
        yield agent
    finally:
        await agent.aclose()
