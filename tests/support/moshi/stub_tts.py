"""A model for moshi-server's module of type ``Py`` that speaks in tones.

The server loads this file by itself, in its own Python, where only numpy can be imported. It has
the timing of the true model: a word is begun when further words, or the end, are known; the audio
comes some steps after the text; the last word lasts until the end of that delay.

Keys of its configuration:
    tones: Path of the conformance kit's module of that name.
    step_seconds: How long a step takes; a step is 0.08 s of audio.
    lookahead: Words that must follow the one that is begun.
    delay: Steps between text and audio.
"""

import importlib.util
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

FRAME = 1920
RATE = 24_000
PAD, FIRST_BYTE = 3, 4
NEW, END = -1, -2
HAS_PCM, IS_EOS, WORD, AR_STEP, MISSING = 1, 2, 4, 8, 16
SHAPE = (1, 512, 125)
CRASH = "crash!"
"""The word that ends the model's loop, as an error in the true model does."""

Update = tuple[int, list[int], Any]
Samples = NDArray[np.float32]


def init(batch_size: int, config: dict[str, Any]) -> "Tones":
    """Return the model, as the server asks for it."""
    return Tones(batch_size, **config)


@dataclass
class Speaker:
    """What the model knows of one slot.

    Attributes:
        slow: The voice takes twice as long.
        entries: What is still to be said: words, and pauses in frames.
        begun: How many words were begun.
    """

    slow: bool
    entries: list[str | int] = field(default_factory=list)
    begun: int = 0
    ended: bool = False
    audio: Samples = field(default_factory=lambda: np.zeros(0, np.float32))
    steps: int = 0

    @property
    def finishing(self) -> bool:
        return self.ended and not self.entries


class Tones:
    """Speaks the words of every slot."""

    def __init__(
        self,
        batch_size: int,
        tones: str,
        step_seconds: float = 0.0,
        lookahead: int = 2,
        delay: int = 3,
    ) -> None:
        self.tones = load(tones)
        self.step_seconds = step_seconds
        self.lookahead = lookahead
        self.delay = delay
        self.speakers: list[Speaker | None] = [None] * batch_size
        self.sleep = time.sleep

    def step(
        self, updates: list[Update], pcm: Samples, flags: NDArray[np.uint8], codes: object
    ) -> None:
        """Do one step of all slots."""
        flags[:] = 0
        for slot, tokens, voice in updates:
            self.take(slot, tokens, voice)
        for slot, speaker in enumerate(self.speakers):
            if speaker is not None:
                flags[slot] = self.advance(slot, speaker, pcm[slot])
        stepped = bool((flags & AR_STEP).any())
        # The true model takes no time either if it does no step; this one does not spin then.
        self.sleep(self.step_seconds if stepped else 0.002)

    def take(self, slot: int, tokens: list[int], voice: Any) -> None:
        """Take a word, a pause or the end for one slot."""
        if tokens[0] == NEW:
            if not isinstance(voice, str | None) and voice.shape != SHAPE:
                raise ValueError("a tensor of the wrong shape")
            slow = not isinstance(voice, str | None) or (voice or "").endswith("slow")
            self.speakers[slot] = Speaker(slow)
            tokens = tokens[1:]
        speaker = self.speakers[slot]
        if speaker is None:
            return
        if tokens == [END]:
            speaker.ended = True
        elif set(tokens) == {PAD}:
            speaker.entries.append(len(tokens))
        else:
            word = bytes(token - FIRST_BYTE for token in tokens if token >= FIRST_BYTE).decode()
            if word == CRASH:
                raise RuntimeError("the model fails as it was told")
            speaker.entries.append(word)

    def advance(self, slot: int, speaker: Speaker, out: Samples) -> int:
        """Return the flags of one slot's step, whose audio is put in place."""
        flags = 0
        if self.needs_word(speaker):
            if not self.may_begin(speaker):
                return MISSING
            speaker.audio = np.concatenate([speaker.audio, self.say(speaker)])
            flags |= WORD
        speaker.steps += 1
        flags |= AR_STEP
        at = (speaker.steps - 1 - self.delay) * FRAME
        if 0 <= at < len(speaker.audio):
            piece = speaker.audio[at : at + FRAME]
            out[:] = 0
            # What the true codec gives is clamped, too.
            out[: len(piece)] = np.clip(piece, -0.99, 0.99)
            flags |= HAS_PCM
        if speaker.finishing and at + FRAME >= len(speaker.audio):
            self.speakers[slot] = None
            flags |= IS_EOS
        return flags

    def needs_word(self, speaker: Speaker) -> bool:
        """Tell whether the audio so far ends in the frame of this step."""
        return len(speaker.audio) <= speaker.steps * FRAME and not speaker.finishing

    def may_begin(self, speaker: Speaker) -> bool:
        """Tell whether enough is known to begin the next word."""
        if not speaker.entries:
            return False
        if speaker.ended or isinstance(speaker.entries[0], int):
            return True
        return sum(isinstance(entry, str) for entry in speaker.entries) > self.lookahead

    def say(self, speaker: Speaker) -> Samples:
        """Return the audio of the next word, or pause."""
        entry = speaker.entries.pop(0)
        speaker.begun += 1
        if isinstance(entry, int):
            return np.zeros(entry * FRAME, np.float32)
        sound: Samples = self.tones.speak(entry, RATE)
        if not len(sound):
            # A mark on its own: a breath.
            return np.zeros(FRAME, np.float32)
        return np.concatenate([sound, 0 * sound]) if speaker.slow else sound


def load(path: str) -> Any:
    """Import a module by its path."""
    spec = importlib.util.spec_from_file_location("tones", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
