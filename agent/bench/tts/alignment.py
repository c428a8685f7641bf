"""When Whisper takes each word of a known sentence to be said.

Whisper is given what was said as it is said. Two habits of it would otherwise pass for errors of
the voice: it writes a number as one or two tokens, and takes it to be over long before it has been
read out; and it has words touch, so that a pause belongs to the word after it. So numbers are given
in words, and a pause that is to be heard where no sign tells of it is given as a comma, at that
edge of a word where Whisper itself finds a comma likeliest.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from faster_whisper import WhisperModel
from faster_whisper.audio import pad_or_trim
from faster_whisper.tokenizer import Tokenizer
from livekit.plugins.local.engine.timing.pauses import Pause, pauses

from agent.bench.tts.corpus import Sentence
from agent.bench.tts.words import Word

_RATE = 16_000
_FRAME_SECONDS = 0.02
_SIGNS = tuple(",.;:!?")
_LEAST_LIKELY = 1e-6


@dataclass(frozen=True, slots=True)
class _Reading:
    """Words as they are said, and when.

    Attributes:
        words: With their punctuation.
        spoken: The same with their times.
        likelihood: Sum of the logarithms of the tokens' probabilities,
        tokens: and how many there are.
    """

    words: list[str]
    spoken: list[Word]
    likelihood: float
    tokens: int


def align(model: WhisperModel, sentence: Sentence, audio: np.ndarray) -> list[Word]:
    """Return when each word of a sentence begins and ends.

    Args:
        model: The listener.
        sentence: What was said, in at most 30 s; of several ways to say it the likeliest counts.
        audio: Samples at 16 kHz in [-1, 1], shape ``(samples,)``.
    """
    reader = _Reader(model, sentence.language, audio)
    readings = [reader.read(said.replace("_", " ").split()) for said in sentence.said]
    likely = [reading.likelihood / reading.tokens for reading in readings]
    best = likely.index(max(likely))
    reading = readings[best]
    for pause in _inner_pauses(audio):
        reading = reader.punctuated(reading, pause)
    return list(_written(sentence.said[best], reading.spoken))


class _Reader:
    """Whisper with one recording in its ear."""

    def __init__(self, model: WhisperModel, language: str, audio: np.ndarray) -> None:
        self._model = model
        self._tokenizer = Tokenizer(model.hf_tokenizer, True, task="transcribe", language=language)
        features = model.feature_extractor(audio)[..., :-1]
        self._frames = features.shape[-1]
        self._encoded = model.encode(pad_or_trim(features))

    def read(self, words: Sequence[str]) -> _Reading:
        """Follow these words through the recording."""
        tokens = self._tokenizer.encode(f" {' '.join(words)}")
        (pieces,) = self._model.find_alignment(
            self._tokenizer, [tokens], self._encoded, self._frames
        )
        sizes = [len(piece["tokens"]) for piece in pieces]
        likely = [max(_LEAST_LIKELY, float(piece["probability"])) for piece in pieces]
        return _Reading(
            words=list(words),
            spoken=_spoken(pieces),
            likelihood=float(np.dot(np.log(likely), sizes)),
            tokens=sum(sizes),
        )

    def punctuated(self, reading: _Reading, pause: Pause) -> _Reading:
        """Return the reading with a sign where the pause is: before or after the word over it."""
        middle = (pause.start + pause.end) / 2
        over = [at for at, word in enumerate(reading.spoken) if word.start <= middle < word.end]
        edges = [at for at in range(over[0] - 1, over[0] + 1) if at >= 0] if over else []
        edges = [at for at in edges if at < len(reading.words) - 1]
        if not edges or any(reading.words[at].endswith(_SIGNS) for at in edges):
            return reading
        readings = [
            self.read([f"{word}," if at == edge else word for at, word in enumerate(reading.words)])
            for edge in edges
        ]
        return max(readings, key=lambda each: each.likelihood)


def _inner_pauses(audio: np.ndarray) -> list[Pause]:
    length = len(audio) / _RATE
    found = pauses((audio * 32767.0).astype(np.int16), _RATE)
    return [pause for pause in found if pause.start > 0 and pause.end < length - _FRAME_SECONDS]


def _spoken(pieces: Sequence[dict[str, Any]]) -> list[Word]:
    """Put together what Whisper takes apart: hyphens and signs are pieces of their own."""
    found: list[Word] = []
    for piece in pieces:
        word = Word(str(piece["word"]), float(piece["start"]), float(piece["end"]))
        if word.text.startswith(" ") or not found:
            found.append(word)
        else:
            found[-1] = found[-1]._replace(text=found[-1].text + word.text, end=word.end)
    return [word._replace(text=word.text.strip()) for word in found]


def _written(said: str, spoken: Sequence[Word]) -> Iterator[Word]:
    """Yield the words of the text: each begins and ends with those in which it is said."""
    rest = iter(spoken)
    for joined in said.split():
        if group := list(islice(rest, joined.count("_") + 1)):
            yield Word(" ".join(word.text for word in group), group[0].start, group[-1].end)
