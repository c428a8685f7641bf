"""How far the times of words are from those that Whisper finds for the same words.

Sentences with digits are left out: Whisper writes a number as one or two tokens, and takes it to be
over long before it has been read out.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from faster_whisper import WhisperModel
from faster_whisper.audio import pad_or_trim
from faster_whisper.tokenizer import Tokenizer

from agent.bench.tts_corpus import REPLIES, sentences

_SHORTEST = 3


class Word(NamedTuple):
    """A word and when it is said, in seconds."""

    text: str
    start: float
    end: float


@dataclass(slots=True, kw_only=True)
class Offsets:
    """By how much words begin and end later than Whisper says; milliseconds."""

    starts: list[float]
    ends: list[float]


def texts(language: str) -> Iterator[str]:
    """Yield the sentences whose words are timed."""
    for text in [*REPLIES[language], *(sentence.text for sentence in sentences(language))]:
        for sentence in text.replace("? ", "?\n").replace(". ", ".\n").split("\n"):
            if not any(map(str.isdigit, sentence)) and len(sentence.split()) >= _SHORTEST:
                yield sentence


def align(model: WhisperModel, text: str, audio: np.ndarray, language: str) -> list[Word]:
    """Return when Whisper takes each word of a known text to be said.

    Args:
        model: The listener.
        text: What was said, in at most 30 s.
        audio: Samples at 16 kHz in [-1, 1], shape ``(samples,)``.
        language: Two-letter code.
    """
    tokenizer = Tokenizer(model.hf_tokenizer, True, task="transcribe", language=language)
    features = model.feature_extractor(audio)[..., :-1]
    encoded = model.encode(pad_or_trim(features))
    tokens = tokenizer.encode(f" {text}")
    pieces = model.find_alignment(tokenizer, [tokens], encoded, features.shape[-1])[0]
    found: list[Word] = []
    for piece in pieces:
        word = Word(str(piece["word"]), float(piece["start"]), float(piece["end"]))
        if word.text.startswith(" ") or not found:
            found.append(word)
        else:
            found[-1] = found[-1]._replace(text=found[-1].text + word.text, end=word.end)
    return [word._replace(text=word.text.strip()) for word in found]


def compare(ours: Sequence[Word], theirs: Sequence[Word]) -> Offsets:
    """Compare the times of the same words; nothing if they are not the same."""
    mine = [word for word in ours if word.text.strip()]
    if [word.text.strip() for word in mine] != [word.text for word in theirs]:
        return Offsets(starts=[], ends=[])
    pairs = list(zip(mine, theirs, strict=True))
    return Offsets(
        starts=[1000 * (our.start - their.start) for our, their in pairs],
        ends=[1000 * (our.end - their.end) for our, their in pairs],
    )
