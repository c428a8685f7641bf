"""Playing audio into a stream as time goes by, and noting what it says when."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from time import perf_counter

from livekit import rtc
from livekit.agents import stt, vad

from agent.bench.corpus import RATE
from agent.caller.onset import Pcm

FRAME_SECONDS = 0.02
_FRAME = round(FRAME_SECONDS * RATE)

Push = Callable[[rtc.AudioFrame], None]

_KINDS = {
    stt.SpeechEventType.INTERIM_TRANSCRIPT: "interim",
    stt.SpeechEventType.PREFLIGHT_TRANSCRIPT: "preflight",
    stt.SpeechEventType.FINAL_TRANSCRIPT: "final",
}


@dataclass(frozen=True, slots=True)
class Shown:
    """One transcript: ``interim``, ``preflight`` or ``final``.

    Attributes:
        at: Seconds since the audio began to play.
    """

    kind: str
    text: str
    at: float


@dataclass(slots=True)
class Hearing:
    """What was made of one scene; times are seconds since it began to play.

    Attributes:
        shown: The transcripts, in order.
        asked: When a final transcript was asked for.
        vad_ends: How often voice activity detection heard speech end in this scene.
        played: Seconds of audio that were played.
        late: By how much the worst frame was played too late.
        cpu_seconds: Processor time of all that listened, None when it is not known.
        engine_seconds: What of it the engine took, None without one.
    """

    shown: list[Shown] = field(default_factory=list)
    asked: list[float] = field(default_factory=list)
    vad_ends: int = 0
    played: float = 0.0
    late: float = 0.0
    cpu_seconds: float | None = None
    engine_seconds: float | None = None

    @property
    def finals(self) -> list[Shown]:
        """The final transcripts."""
        return [shown for shown in self.shown if shown.kind == "final"]

    @property
    def text(self) -> str:
        """All final transcripts in one."""
        return " ".join(final.text for final in self.finals)


class Clock:
    """Seconds since playing began."""

    def __init__(self) -> None:
        self._began = perf_counter()

    def __call__(self) -> float:
        """Return the seconds."""
        return perf_counter() - self._began


def frames(pcm: Pcm) -> list[rtc.AudioFrame]:
    """Cut int16 samples at 16 kHz into frames of 20 ms."""
    cut = [pcm[at : at + _FRAME] for at in range(0, len(pcm), _FRAME)]
    return [rtc.AudioFrame(part.tobytes(), RATE, 1, len(part)) for part in cut]


async def feed(
    pcm: Pcm, push: Push, clock: Clock, hearing: Hearing, stop: asyncio.Event | None = None
) -> None:
    """Push audio in real time, each frame when its last sample has been spoken, until ``stop``."""
    for index, frame in enumerate(frames(pcm), 1):
        due = index * FRAME_SECONDS
        await asyncio.sleep(max(0.0, due - clock()))
        if stop and stop.is_set():
            return
        hearing.late = max(hearing.late, clock() - due)
        push(frame)
        hearing.played += frame.duration


async def transcripts(
    stream: AsyncIterator[stt.SpeechEvent], clock: Callable[[], float]
) -> AsyncIterator[Shown]:
    """Yield the transcripts of a stream as they come."""
    async for event in stream:
        if event.type in _KINDS and event.alternatives:
            yield Shown(_KINDS[event.type], event.alternatives[0].text, clock())


async def count_ends(detector: vad.VAD, pcm: Pcm) -> int:
    """Return how often ``detector`` will hear speech end in this audio."""
    async with aclosing(detector.stream()) as stream:
        for frame in frames(pcm):
            stream.push_frame(frame)
        stream.end_input()
        return sum([event.type is vad.VADEventType.END_OF_SPEECH async for event in stream])
