"""A corpus and an ear for tests of the bench that need neither engine nor models."""

import wave
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from agent.bench.corpus import RATE, Clip
from agent.bench.stt.ours import Ours
from agent.bench.stt.play import Hearing, Shown
from agent.bench.stt.scene import Scene
from agent.caller.onset import Pcm


def spoken(folder: Path, name: str, text: str) -> Clip:
    """Return a clip of one second of tone; the first two letters of its name are its language."""
    time = np.arange(RATE) / RATE
    samples = 8000 * np.sin(2 * np.pi * 300 * time) * (time > 0.2) * (time < 0.8)
    path = folder / f"{name}.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.astype("<i2").tobytes())
    return Clip(path, name[:2], "spoken", text)


def hearing(text: str, at: float) -> Hearing:
    """Return what was heard when a final transcript came at ``at`` seconds."""
    return Hearing([Shown("final", text, at)], asked=[at - 0.1], vad_ends=1, played=at)


class FakeOurs(Ours):
    """Hears what it is told to.

    Attributes:
        log: Who heard what, in order.
        lengths: Samples of each piece that was pushed at once.
    """

    def __init__(self, log: list[str], answer: Callable[[int, bool], list[Shown]]) -> None:
        self.log = log
        self.lengths: list[int] = []
        self._answer = answer

    async def hear(self, scene: Scene, language: str) -> Hearing:
        self.log.append("ours")
        heard = hearing("hello there", scene.speech_end + 0.5)
        heard.cpu_seconds = 0.25
        return heard

    async def hear_at_once(
        self, pieces: Sequence[Pcm], language: str, *, flush_each: bool
    ) -> list[Shown]:
        self.lengths += [len(piece) for piece in pieces]
        return self._answer(len(pieces), flush_each)
