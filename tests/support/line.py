"""A caller who stays on the line while agents come and go."""

import asyncio
import time
from bisect import bisect
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import numpy as np
from livekit import rtc

from agent.caller.access import Access, TokenEndpoint, is_agent
from agent.caller.ear import Ear
from agent.caller.microphone import Microphone
from agent.caller.onset import OnsetConfig
from agent.caller.script import load_script
from agent.caller.tape import Tape
from agent.caller.transcripts import TranscriptReader
from tests.support.calls import write_wav

T = TypeVar("T")

_CHAT = "lk.chat"
# The agent listens again as soon as its last words have left; they are still to arrive.
_ON_ITS_WAY = 0.3


class _Transcripts(TranscriptReader):
    """Notes, too, when the agent settled each text, on a clock that this machine shares.

    Attributes:
        settled: Who was understood, and when, by `time.perf_counter`.
    """

    def __init__(self, room: rtc.Room) -> None:
        self.settled: list[tuple[str, float]] = []
        super().__init__(room)

    def _open(self, reader: rtc.TextStreamReader, speaker: str) -> None:
        if (reader.info.attributes or {}).get("lk.transcription_final") == "true":
            ago = time.time() - reader.info.timestamp / 1000
            self.settled.append((speaker, time.perf_counter() - ago))
        super()._open(reader, speaker)


class Caller:
    """Somebody on the line.

    Attributes:
        came: When each agent came, by `time.monotonic`.
        left: When each of them left.
        most: How many were there at once.
    """

    def __init__(self, folder: Path) -> None:
        self.room = rtc.Room()
        self.microphone = Microphone()
        self.transcripts = _Transcripts(self.room)
        self.came: list[float] = []
        self.left: list[float] = []
        self.most = 0
        self._folder = folder
        self._identities: set[str] = set()
        self._ears: list[Ear] = []
        self.room.on("track_subscribed", self._on_track)
        self.room.on("participant_connected", self._count)
        self.room.on("participant_disconnected", self._on_left)

    @property
    def agents(self) -> list[rtc.RemoteParticipant]:
        """The agents that are there."""
        return [each for each in self.room.remote_participants.values() if is_agent(each)]

    @property
    def states(self) -> list[str | None]:
        """What they do: ``listening``, ``thinking`` or ``speaking``."""
        return [each.attributes.get("lk.agent.state") for each in self.agents]

    def understood(self, since: float) -> list[float]:
        """Return when the agent had the transcripts of what the caller said, since then.

        It interrupts itself in the same moment. The times are those of `time.perf_counter`, noted
        by the agent.
        """
        me = self.room.local_participant.identity
        return [at for speaker, at in self.transcripts.settled if speaker == me and at > since]

    @property
    def tape(self) -> Tape:
        """All that reached the caller's ear from the first agent, and when."""
        return self._ears[0].tape if self._ears else Tape()

    async def hears(self, *words: str, since: float) -> str:
        """Return what the agents said since, once all ``words`` are in it."""
        return await self.until(lambda: self.said(since), lambda text: _all_in(words, text))

    async def listened_to(self) -> None:
        """Wait until there is an agent that listens."""
        await self.until(lambda: self.states, lambda states: states == ["listening"])

    async def says(self, samples: np.ndarray) -> float:
        """Speak, and return when that was done."""
        wav = write_wav(self._folder / "turn.wav", samples)
        (utterance,) = await asyncio.to_thread(load_script, [wav], OnsetConfig())
        return (await self.microphone.speak(utterance)).end

    async def until(
        self, look: Callable[[], T], good: Callable[[T], bool], seconds: float = 30
    ) -> T:
        """Look again and again until what is seen is good, and return it."""
        try:
            async with asyncio.timeout(seconds):
                while not good(found := look()):
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"waited in vain; last seen: {look()!r}") from None
        return found

    def said(self, since: float) -> str:
        """Return what the agents said since a time of `time.perf_counter`."""
        self._identities.update(each.identity for each in self.agents)
        log = self.transcripts.log
        return " ".join(log.text(each, since, float("inf")) for each in self._identities)

    async def heard(self, since: float) -> np.ndarray:
        """Return what reached the caller's ear since a time of `time.perf_counter`.

        Waits until the agent has nothing more to say. The samples are int16 at `SAMPLE_RATE`, one
        agent's after the other's.
        """
        await self.listened_to()
        await asyncio.sleep(_ON_ITS_WAY)
        return self.recording(since)

    def recording(self, since: float) -> np.ndarray:
        """Return the same, as far as it has come by now."""
        tapes = [ear.tape for ear in self._ears]
        return np.concatenate(
            [tape.cut(bisect(tape.times, since), len(tape.times)) for tape in tapes]
        )

    async def types(self, text: str) -> float:
        """Send a typed message, and return when it left."""
        left = time.perf_counter()
        await self.room.local_participant.send_text(text, topic=_CHAT)
        return left

    async def aclose(self) -> None:
        """Hang up."""
        for ear in self._ears:
            await ear.aclose()
        await self.transcripts.aclose()
        await self.room.disconnect()
        await self.microphone.aclose()

    def _on_track(
        self,
        track: rtc.Track,
        _: rtc.RemoteTrackPublication,
        participant: rtc.RemoteParticipant,
    ) -> None:
        if is_agent(participant) and track.kind == rtc.TrackKind.KIND_AUDIO:
            self._ears.append(Ear(OnsetConfig()))
            self._ears[-1].listen(track)

    def _count(self, participant: rtc.RemoteParticipant) -> None:
        if is_agent(participant):
            self.came.append(time.monotonic())
            self.most = max(self.most, len(self.agents))

    def _on_left(self, participant: rtc.RemoteParticipant) -> None:
        if is_agent(participant):
            self.left.append(time.monotonic())


def _all_in(words: tuple[str, ...], text: str) -> bool:
    return all(word.lower() in text.lower() for word in words)


@asynccontextmanager
async def on_the_line(
    page_url: str, folder: Path, access: Access | None = None
) -> AsyncIterator[Caller]:
    """Call, through the page's token endpoint unless told otherwise, and hang up in the end."""
    caller = Caller(folder)
    try:
        await (access or TokenEndpoint(f"{page_url}/token")).join(caller.room)
        await caller.microphone.publish(caller.room)
        yield caller
    finally:
        await caller.aclose()
