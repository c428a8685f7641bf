"""Words as tones: what is said can be compared with what is heard, exactly.

Each word of the vocabulary has a pitch of its own, so that a recording is read back by its pitches,
after any resampling or lossy codec.
"""

from itertools import cycle, islice

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
"""Mono audio in [-1, 1], shape ``(samples,)``."""

WORDS = (
    "alpha bravo charlie delta echo foxtrot golf hotel india juliett kilo lima mike november oscar "
    "papa quebec romeo sierra tango uniform victor whiskey xray yankee zulu"
).split()

WORD_SECONDS = 0.1
"""Duration of a word, with the gap after it."""

_GAP_SECONDS = 0.03
_LOWEST, _STEP = 400.0, 60.0
_LEVEL = 0.8
_WINDOW_SECONDS = 0.005
_SHORTEST_SECONDS = 0.035


def sentence(count: int, *, start: int = 0) -> str:
    """Return that many words of the vocabulary, beginning with the one numbered ``start``."""
    return " ".join(islice(cycle(WORDS), start % len(WORDS), start % len(WORDS) + count))


def statement(count: int, *, start: int = 0) -> str:
    """Return such a sentence as it is written, with a capital letter and a full stop."""
    return f"{sentence(count, start=start).capitalize()}."


def words_of(text: str) -> list[str]:
    """Return the words of a text that the kit's voice says aloud."""
    return [word for part in text.lower().split() if (word := part.strip(".,;:!?…-"))]


def speak(text: str, rate: int) -> Samples:
    """Return a text as tones; a word that is not in the vocabulary sounds like the first one."""
    tones = [tone(word, rate) for word in words_of(text)]
    return np.concatenate(tones) if tones else np.zeros(0, np.float32)


def tone(word: str, rate: int) -> Samples:
    """Return one word and the gap after it."""
    number = WORDS.index(word) if word in WORDS else 0
    sounding = round((WORD_SECONDS - _GAP_SECONDS) * rate)
    time = np.arange(sounding, dtype=np.float32) / rate
    sound = _LEVEL * np.sin(2 * np.pi * (_LOWEST + _STEP * number) * time)
    return np.concatenate([sound, np.zeros(round(_GAP_SECONDS * rate))]).astype(np.float32)


def hear(samples: Samples, rate: int) -> list[str]:
    """Return the words in a recording; what is too short for a word is not heard."""
    return [word for word, _, _ in hear_timed(samples, rate)]


def hear_timed(samples: Samples, rate: int) -> list[tuple[str, float, float]]:
    """Return each word with its start and end in seconds."""
    window = max(1, round(_WINDOW_SECONDS * rate))
    count = len(samples) // window
    loud = np.abs(samples[: count * window].reshape(count, window)).max(axis=1) > _LEVEL / 4
    edges = np.flatnonzero(np.diff(np.concatenate([[False], loud, [False]]).astype(np.int8)))
    words = []
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        if (end - start) * _WINDOW_SECONDS >= _SHORTEST_SECONDS:
            word = _word(samples[start * window : end * window], rate)
            words.append((word, start * _WINDOW_SECONDS, end * _WINDOW_SECONDS))
    return words


def _word(samples: Samples, rate: int) -> str:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), n=rate // 4))
    pitch = float(np.argmax(spectrum)) * 4
    number = round((pitch - _LOWEST) / _STEP)
    return WORDS[number] if 0 <= number < len(WORDS) else "?"
