"""The tone ear of the conformance kit: fails, falls silent and takes its time when told to."""

import asyncio
import time
from typing import Any

from tests.support.moshi.control import Control
from tests.support.moshi.stub_stt import Dictation, Samples, Writer

_FRAME_SECONDS = 0.08
_UTTERANCE = 0.2
_LOOK = 0.005
"""Seconds between two looks for what is told now."""


def init(batch_size: int, config: dict[str, Any]) -> "KitDictation":
    """Return the model, as the server asks for it."""
    return KitDictation(batch_size, **config)


class KitTold:
    """What the fake's recogniser is told; see `fake_ears.Told`."""

    def __init__(self, control: Control) -> None:
        self._control = control

    @property
    def nonsense(self) -> bool:
        """Whether messages have nothing but their type."""
        return bool(self._control.behaviour.get("nonsense"))

    def listened(self) -> None:
        """Note a frame."""
        self._control.refresh()
        self._control.record(listened=_FRAME_SECONDS)

    async def begin(self) -> bool:
        """Begin an utterance."""
        control, round = self._control, self._control.round
        control.record(decodes=1)
        until = asyncio.get_running_loop().time() + control.behaviour.get("ear_seconds", 0.0)
        while control.round == round and (
            control.behaviour.get("ear_stalls") or asyncio.get_running_loop().time() < until
        ):
            await asyncio.sleep(_LOOK)
            control.refresh()
        return control.round != round or not control.spend("ear_failures")

    def wrote(self, word: str) -> None:
        """Note a word."""
        self._control.record(heard=word)


class KitDictation(Dictation):
    """Writes down tones, as it is told."""

    def __init__(self, batch_size: int, control: str, tones: str, first_word: int) -> None:
        super().__init__(batch_size, tones, first_word)
        self.control = Control(control, "ear")
        self.sleep = time.sleep

    def write(self, writer: Writer, frame: Samples) -> int:
        """Take a frame, unless it is to stall or to fail."""
        self.control.refresh()
        self.control.record(listened=_FRAME_SECONDS)
        before = len(writer.tokens)
        token = super().write(writer, frame)
        if len(writer.tokens) > before and not writer.speaking:
            self.begin()
        writer.speaking = writer.ear.quiet < _UTTERANCE
        if token >= self.first_word:
            self.control.record(heard=self.tones.WORDS[token - self.first_word])
        return token

    def begin(self) -> None:
        """Begin an utterance."""
        control, round = self.control, self.control.round
        control.record(decodes=1)
        until = time.monotonic() + control.behaviour.get("ear_seconds", 0.0)
        while control.round == round and (
            control.behaviour.get("ear_stalls") or time.monotonic() < until
        ):
            self.sleep(_LOOK)
            control.refresh()
        if control.round == round and control.spend("ear_failures"):
            control.fail()
