"""A model for moshi-server's module of type ``PyBatchedAsr`` that understands tones.

The server loads this file by itself, in its own Python, where only numpy can be imported. As in the
true model, each step of 80 ms gives one token, so it needs a tokenizer in which each word is one;
words that follow one another at once come out as one message.

Keys of its configuration:
    tones: Path of the conformance kit's module of that name.
    first_word: Token of the vocabulary's first word; the others follow.
    step_seconds: How long a step takes.
"""

import importlib.util
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

FRAME, RATE = 1920, 24_000
PAD = 3
NOTHING, ACTIVE, RESET = 0, -1, -2
HEARD, MARKED, ENDED = 1, 2, 4
PAUSES = (0.5, 1.0, 2.0, 3.0)
"""Seconds of silence after which each of the heads is sure of a pause."""
_DELAY = 2
"""Steps after the end of a word; less than the server is told, since tones are short words."""
_WINDOW = RATE // 200
_LOUD = 0.2

Samples = NDArray[np.float32]
Heard = tuple[str, float, float]


def init(batch_size: int, config: dict[str, Any]) -> "Dictation":
    """Return the model, as the server asks for it."""
    return Dictation(batch_size, **config)


class Ear:
    """Hears tones in audio that comes frame by frame.

    Attributes:
        frames: How many came.
        quiet: Seconds of silence at the end.
    """

    def __init__(self, tones: Any) -> None:
        self.frames = 0
        self.quiet = 0.0
        self._tones = tones
        self._audio: Samples = np.zeros(0, np.float32)
        self._start = 0.0

    def hear(self, frame: Samples) -> list[Heard]:
        """Take a frame; return the words that are over, with start and end in seconds."""
        self.frames += 1
        loud = bool(np.abs(frame).max() > _LOUD)
        self.quiet = 0.0 if loud else self.quiet + FRAME / RATE
        self._audio = np.concatenate([self._audio, frame])
        found = []
        whole = len(self._audio) / RATE - _WINDOW / RATE
        # What sounds up to the end of the frame may go on in the next.
        over = [word for word in self._tones.hear_timed(self._audio, RATE) if word[2] < whole]
        for word, start, end in over:
            found.append((word, self._start + start, self._start + end))
        if over:
            self._drop(round(over[-1][2] * RATE))
        elif not np.abs(self._audio).max() > _LOUD:
            self._drop(len(self._audio))
        return found

    def _drop(self, samples: int) -> None:
        samples -= samples % _WINDOW
        self._audio = self._audio[samples:].copy()
        self._start += samples / RATE


@dataclass
class Writer:
    """What the model knows of one slot.

    Attributes:
        tokens: Those that are to be written, with the step from which they may be.
        speaking: Whether an utterance goes on.
    """

    ear: Ear
    speaking: bool = False
    tokens: deque[tuple[int, int]] = field(default_factory=deque)


class Dictation:
    """Writes down what is said in every slot."""

    def __init__(
        self, batch_size: int, tones: str, first_word: int, step_seconds: float = 0.0
    ) -> None:
        self.tones = load(tones)
        self.first_word = first_word
        self.step_seconds = step_seconds
        self.writers = [Writer(Ear(self.tones)) for _ in range(batch_size)]
        self.sleep = time.sleep

    def step(
        self,
        pcm: Samples,
        flags: NDArray[np.uint8],
        tokens: NDArray[np.uint32],
        heads: Samples,
        updates: list[int],
    ) -> None:
        """Do one step of all slots."""
        frames = pcm.reshape(-1, FRAME)
        for slot, update in enumerate(updates):
            flags[slot] = self.take(slot, update)
            tokens[slot] = PAD
            if flags[slot] and update == ACTIVE:
                tokens[slot] = self.write(self.writers[slot], frames[slot])
            heads[slot] = [float(self.writers[slot].ear.quiet >= pause) for pause in PAUSES]
        if flags.any():
            self.sleep(self.step_seconds)

    def take(self, slot: int, update: int) -> int:
        """Return the flag of one slot."""
        if update == RESET:
            self.writers[slot] = Writer(Ear(self.tones))
            return HEARD
        if update > 0:
            return MARKED
        return HEARD if update == ACTIVE else 0

    def write(self, writer: Writer, frame: Samples) -> int:
        """Take a frame and return the step's token."""
        for word, _, _ in writer.ear.hear(frame):
            if word in self.tones.WORDS:
                token = self.first_word + self.tones.WORDS.index(word)
                writer.tokens.append((token, writer.ear.frames + _DELAY))
        if writer.tokens and writer.tokens[0][1] <= writer.ear.frames:
            return writer.tokens.popleft()[0]
        return PAD


def load(path: str) -> Any:
    """Import a module by its path."""
    spec = importlib.util.spec_from_file_location("tones", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
