"""The tone voice of the conformance kit: fails, falls silent and takes its time when told to."""

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.support.moshi.control import Control
from tests.support.moshi.stub_tts import MISSING, NEW, Samples, Speaker, Tones, Update
from tests.support.moshi.tokenizer import word_of

_FRAME_SECONDS = 0.08


def init(batch_size: int, config: dict[str, Any]) -> "KitVoice":
    """Return the model, as the server asks for it."""
    return KitVoice(batch_size, **config)


class KitVoice(Tones):
    """Speaks in tones, as it is told."""

    def __init__(self, batch_size: int, control: str, tones: str) -> None:
        super().__init__(batch_size, tones, delay=1)
        self.control = Control(control, "voice")
        self.texts = [0] * batch_size
        self.told: list[dict[str, Any]] = [{}] * batch_size
        self.sleep = time.sleep

    def step(
        self, updates: list[Update], pcm: Samples, flags: NDArray[np.uint8], codes: object
    ) -> None:
        """Do one step, at the pace that is wanted."""
        round = self.control.round
        self.control.refresh()
        if self.control.round != round:
            self.speakers = [None] * len(self.speakers)
        self.step_seconds = self.control.behaviour.get("pace", 0.0) * _FRAME_SECONDS
        super().step(updates, pcm, flags, codes)
        np.clip(pcm, -1.0, 1.0, out=pcm)

    def take(self, slot: int, tokens: list[int], voice: Any) -> None:
        """Take a word; the first one begins a stream."""
        super().take(slot, tokens, voice)
        if tokens[0] == NEW:
            self.told[slot] = self.control.behaviour
            self.texts[slot] = self.control.begin("spoken")
        if word := word_of(tokens):
            self.control.extend("spoken", self.texts[slot], word)

    def advance(self, slot: int, speaker: Speaker, out: Samples) -> int:
        """Do one slot's step, unless it is to stall or to fail."""
        told = self.told[slot]
        needed = self.needs_word(speaker) and self.may_begin(speaker)
        if needed and speaker.begun == told.get("fail_after_words") and told.get("voice_failures"):
            told["voice_failures"] -= 1
            self.speakers[slot] = None
            self.control.fail()
            return MISSING
        if needed and speaker.begun == told.get("stall_after_words"):
            return MISSING
        flags = super().advance(slot, speaker, out)
        out *= told.get("gain", 1.0)
        if self.speakers[slot] is None:
            self.control.record(ended=1)
        return flags

    def say(self, speaker: Speaker) -> Samples:
        """Return the audio of the next word."""
        self.control.record(words=1)
        return super().say(speaker)
