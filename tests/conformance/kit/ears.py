"""What reads words back from a voice that does not speak in tones: Whisper."""

from collections.abc import Callable, Iterator, Sequence
from difflib import get_close_matches
from functools import cached_property
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import numpy as np
from faster_whisper import WhisperModel

from tests.conformance.kit.tones import WORDS, Samples
from tests.support.speech import resample

Ear = Callable[[Samples, int], list[str]]
"""Returns the words in a recording, given the sample rate in Hz."""

UNKNOWN = "?"
"""A word that is none of the vocabulary."""

_RATE = 16_000
_CUTS = ((4.0, 7.0), (3.0, 5.0), (6.0, 10.0), (2.0, 4.0))
"""Where a recording is cut, in seconds: of a long list, Whisper leaves out words."""

_HOP = _RATE // 50
_SILENCE = 0.01
# What is listened to on either side of a cut at which a word may have been halved.
_AROUND = 2 * _RATE
_SIMILARITY = 0.7
_MOST_REPAIRED = 3
_SPELLINGS = {word: word for word in WORDS} | {"juliet": "juliett", "whisky": "whiskey"}
# In another order: after a list in order, Whisper hears its beginning wherever a recording begins.
# And it leaves out a word that was the last one already.
_PROMPT = ", ".join(WORDS[at * 7 % len(WORDS)].title() for at in range(len(WORDS))) + ". Over."


class WhisperEar:
    """Hears the vocabulary of `tones`, which is that of radio operators and made to be heard.

    Where the words do not follow each other as in the alphabet it listens again, with the recording
    cut elsewhere: what is heard amiss is heard amiss once, but what was not said never comes.

    Args:
        model: Returns the directory of a Whisper model for CTranslate2, once it is needed.
    """

    def __init__(self, model: Callable[[], Path]) -> None:
        self._model = model
        # Most rules say the same: what sounds the same is the same.
        self._known: dict[bytes, list[str]] = {}

    @cached_property
    def _whisper(self) -> WhisperModel:
        return WhisperModel(
            str(self._model()), device="cpu", compute_type="int8", local_files_only=True
        )

    def __call__(self, samples: Samples, rate: int) -> list[str]:
        """Return the words of the vocabulary, and `UNKNOWN` for others."""
        if np.abs(samples).max(initial=0) < _SILENCE:
            return []
        key = sha256(samples.tobytes()).digest()
        if key not in self._known:
            self._known[key] = self._listen(samples, rate)
        return list(self._known[key])

    def _listen(self, samples: Samples, rate: int) -> list[str]:
        pcm = resample((samples * 32767).astype(np.int16), rate, _RATE)
        parts = list(cut(pcm.astype(np.float32) / np.float32(32768), *_CUTS[0]))
        heard = self._heard(parts)
        for shortest, longest in _CUTS[1:]:
            parts, heard = self._again(parts, heard, shortest, longest)
        return repaired(joined(heard))

    def _again(
        self, parts: list[Samples], heard: list[list[str]], shortest: float, longest: float
    ) -> tuple[list[Samples], list[list[str]]]:
        """Listen again to the parts that are out of order, each with those beside it."""
        new_parts, new_heard = list[Samples](), list[list[str]]()
        at = 0
        while at < len(parts):
            end = at + 1
            while end < len(parts) and leaps(joined(heard[end - 1 : end + 1])):
                end += 1
            before = new_heard[-1][-1:] if new_heard else []
            after = heard[end][:1] if end < len(parts) else []
            words = joined(heard[at:end])
            if wrong := leaps(words):
                audio = np.concatenate(parts[at:end])
                pieces = list(cut(audio, shortest, longest))
                again = joined(self._heard(pieces))
                if leaps(before + again + after) < max(wrong, leaps(before + words + after)):
                    words = again
                new_parts.append(audio)
                new_heard.append(words)
            else:
                new_parts += parts[at:end]
                new_heard += heard[at:end]
            at = end
        return new_parts, new_heard

    def _heard(self, parts: Sequence[Samples]) -> list[list[str]]:
        """Return the words of each part; one that was cut in two and heard twice counts once."""
        heard = [self._words(part) for part in parts]
        for at in range(1, len(parts)):
            before, after = heard[at - 1 : at + 1]
            if before and after and before[-1] == after[0] != UNKNOWN:
                around = np.concatenate([parts[at - 1][-_AROUND:], parts[at][:_AROUND]])
                if self._words(around).count(after[0]) == 1:
                    heard[at] = after[1:]
        return heard

    def _words(self, audio: Samples) -> list[str]:
        segments, _ = self._whisper.transcribe(
            audio,
            language="en",
            beam_size=5,
            temperature=0.0,
            initial_prompt=_PROMPT,
            condition_on_previous_text=False,
            without_timestamps=True,
        )
        written = " ".join(segment.text for segment in segments).lower().replace("-", "")
        words = ("".join(filter(str.isalpha, word)) for word in written.split())
        return [spelled(word) for word in words if word]


def leaps(words: Sequence[str]) -> int:
    """Return how often a word is not the one that follows in the alphabet."""
    return sum(
        UNKNOWN in (word, following)
        or (WORDS.index(word) + 1) % len(WORDS) != WORDS.index(following)
        for word, following in pairwise(words)
    )


def spelled(word: str) -> str:
    """Return the word of the vocabulary that is written so, or nearly so."""
    close = get_close_matches(word, _SPELLINGS, n=1, cutoff=_SIMILARITY)
    return _SPELLINGS[close[0]] if close else UNKNOWN


def joined(parts: Sequence[list[str]]) -> list[str]:
    """Put the parts of a recording together; the halves of a word that was cut are one word."""
    words = list[str]()
    for part in parts:
        before = words[-2:-1] if words[-1:] == [UNKNOWN] else []
        if before and part and not leaps(before + part[:1]):
            words.pop()
        words += part
    return words


def repaired(words: Sequence[str]) -> list[str]:
    """Put right what Whisper heard as something else where the alphabet tells what it was.

    As many words that do not fit as are missing between two that do are those that are missing;
    where there are more or less of them, words were lost or came twice, and that stays visible.
    Half a word at the end, where a recording was cut, is no word.
    """
    found = list(words)
    while found and found[-1] == UNKNOWN:
        found.pop()
    for at, word in enumerate(found):
        if at and not leaps(found[at - 1 : at + 1]):
            continue
        for end in range(at + 1, min(at + 1 + _MOST_REPAIRED, len(found))):
            if found[end] == UNKNOWN or (word != UNKNOWN and not at):
                continue
            filling = [before(found[end], back) for back in range(end - at, -1, -1)][:-1]
            if not at or found[at - 1] == before(found[end], end - at + 1):
                found[at:end] = filling
                break
    return found


def before(word: str, count: int) -> str:
    """Return the word that comes so many places earlier in the alphabet."""
    return WORDS[(WORDS.index(word) - count) % len(WORDS)]


def cut(audio: Samples, shortest: float, longest: float) -> Iterator[Samples]:
    """Cut a recording where it is silent for longest.

    Args:
        audio: At 16 kHz.
        shortest: How long a part is at least, in seconds, but for the last.
        longest: And at most.
    """
    least, most = round(shortest * _RATE), round(longest * _RATE)
    while len(audio) > most:
        end = least + _middle_of_silence(audio[least:most])
        yield audio[:end]
        audio = audio[end:]
    yield audio


def _middle_of_silence(audio: Samples) -> int:
    """Return the middle of the longest silence, or of what is quietest where there is none.

    The longest: within "victor", too, there is a tenth of a second of silence, of which some voices
    make nothing at all, and between two sentences there is more.
    """
    count = len(audio) // _HOP
    level = np.sqrt(np.square(audio[: count * _HOP]).reshape(count, _HOP).mean(axis=1))
    edges = np.flatnonzero(np.diff(np.r_[False, level < max(_SILENCE, level.min() * 1.01), False]))
    starts, ends = edges[::2], edges[1::2]
    longest = int(np.argmax(ends - starts))
    return int(starts[longest] + ends[longest]) * _HOP // 2
