"""How much of what a voice says is understood; the listener is Whisper."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from faster_whisper import WhisperModel
from livekit import rtc

from agent.bench.tts import words as tts_words
from agent.bench.tts.alignment import align
from agent.bench.tts.corpus import Sentence
from agent.bench.tts.speech import Speech
from agent.bench.tts.words import Offsets
from agent.bench.wer import words

_RATE = 16_000
# The same time, date or amount can be written in many ways; nobody hears which.
_FORMS = (
    (re.compile(r"(?<=\d)[ ,\u00a0\u202f](?=\d{3}\b)"), ""),
    (re.compile(r"(?<=\d) ?([ap])\.? ?m\b\.?"), r" \1m "),
    (re.compile(r"(?<=\d)\.(?=\d\d +[ap]m\b)"), ":"),
    (re.compile(r"\b(\d{1,2}) oh (\d)\b"), r"\1:0\2"),
    (re.compile(r"\b(\d{1,2}) ?(?:[:h]|heures) ?(\d\d)\b"), r"\1\2"),
    (re.compile(r"(?<=\d) ?h\b"), " heures"),
    (re.compile(r"\b1(?:er|ère)\b"), "premier"),
    (re.compile(r"(?<=\d)(?:st|nd|rd|th|ère|er|re|ème|e)\b"), ""),
    (re.compile(r"\b(\d+)[.,](\d\d) ?(?:€|euros?)"), r"\1 euros \2"),
    (re.compile(r"€(\d+)|(\d+) ?€"), r"\1\2 euros"),
    (re.compile(r"(?<=\d) ?°"), " ° "),
)
_ORDINAL = re.compile(r"^(\d+)(?:st|nd|rd|th)$")


@dataclass(frozen=True, slots=True)
class Understood:
    """One sentence, as it was heard.

    Attributes:
        text: What the voice got.
        heard: What the listener wrote.
        errors: Wrong words, names left out of account.
        words: Words that were said, without the names.
        names: Names that were said,
        names_heard: and those of them that were spelt as they are written.
    """

    text: str
    heard: str
    errors: int
    words: int
    names: int
    names_heard: int


class Listener:
    """Whisper with its own search, knowing the language."""

    def __init__(self, judge: Path, timer: Path) -> None:
        """Load two models, or one in both roles.

        Args:
            judge: Directory of the Whisper model in CTranslate2's format that writes down.
            timer: Directory of the one that finds words.
        """
        self._judge, self._timer = _load(judge), _load(timer)

    def hear(self, sentence: Sentence, speech: Speech) -> Understood:
        """Write down what was said, and compare; blocks for about a second."""
        segments, _ = self._judge.transcribe(
            _resampled(speech),
            language=sentence.language,
            temperature=0.0,
            condition_on_previous_text=False,
            without_timestamps=True,
        )
        return compare(sentence, " ".join(segment.text.strip() for segment in segments))

    def time(self, sentence: Sentence, speech: Speech) -> Offsets:
        """Compare when words were said with when they are heard; blocks for about a second."""
        heard = align(self._timer, sentence, _resampled(speech))
        return tts_words.compare(sentence, speech.words, heard)


def _load(model: Path) -> WhisperModel:
    return WhisperModel(str(model), device="cpu", compute_type="int8", local_files_only=True)


def compare(sentence: Sentence, heard: str) -> Understood:
    """Count the words of a sentence that were heard wrongly."""
    language = sentence.language
    said, got = counted(sentence.heard, language), counted(heard, language)
    names = {part for name in sentence.names for part in words(name, language)}
    named = [word for word in said if word in names]
    return Understood(
        text=sentence.text,
        heard=heard,
        errors=errors(said, got, names),
        words=len(said) - len(named),
        names=len(named),
        names_heard=sum(name in got for name in named),
    )


def counted(text: str, language: str) -> list[str]:
    """Return the words that are compared: normalised, numbers in one form."""
    text = text.lower()
    if language == "fr":
        from text_to_num import alpha2digit

        text = alpha2digit(text, language)
    for form, replacement in _FORMS:
        text = form.sub(replacement, text)
    # Whisper's own normaliser makes "3rd" of "third" in the end.
    return [_ORDINAL.sub(r"\1", word) for word in words(text, language)]


def errors(said: Sequence[str], heard: Sequence[str], names: set[str]) -> int:
    """Return the fewest insertions, deletions and substitutions; any word will do for a name."""
    row = list(range(len(heard) + 1))
    for word in said:
        cost = 0 if word in names else 1
        above, row = row, [row[0] + cost]
        for column, other in enumerate(heard):
            substituted = above[column] + (cost if other != word else 0)
            row.append(min(substituted, above[column + 1] + cost, row[-1] + 1))
    return row[-1]


def _resampled(speech: Speech) -> np.ndarray:
    resampler = rtc.AudioResampler(speech.rate, _RATE, quality=rtc.AudioResamplerQuality.HIGH)
    frames = [*resampler.push(bytearray(speech.pcm)), *resampler.flush()]
    parts = [np.frombuffer(frame.data, np.int16) for frame in frames]
    return np.concatenate(parts).astype(np.float32) / 32768.0
