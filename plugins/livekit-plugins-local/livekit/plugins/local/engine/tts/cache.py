"""Speech that was made before: in memory for all calls, found by everything that shapes it."""

import hashlib
import json
import re
import unicodedata
from collections import OrderedDict
from dataclasses import asdict, dataclass

from livekit.plugins.local.engine import metrics

LONGEST_TEXT = 300
"""Characters beyond which a text is hardly ever said twice."""

_SCHEMA = 2
_QUOTES = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "\u00a0": " ", "\u202f": " "})
_SPACES = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything on which the sound of a clause depends.

    Attributes:
        engine: Name of the voice engine.
        version: Its version.
        model: What its models' files are: their hash, empty for an engine without any.
        voice: Name of the voice, without the engine's.
        language: Two-letter code.
        speed: Rate of speech.
        sample_rate: Rate of the PCM, in Hz.
        text: Speakable text.
    """

    engine: str
    version: str
    model: str
    voice: str
    language: str
    speed: float
    sample_rate: int
    text: str

    @property
    def key(self) -> str:
        """SHA-256 of the recipe, hexadecimal; writing the same text differently changes nothing."""
        content = {"schema": _SCHEMA, **asdict(self), "text": _normal(self.text)}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


class PhraseCache:
    """Complete audio by key; what was not used for the longest time goes first.

    Args:
        limit: Most bytes of audio to hold; 0 holds nothing.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = 0
        self._audio: OrderedDict[str, bytes] = OrderedDict()
        self._kept: set[str] = set()

    @property
    def size(self) -> int:
        """Bytes of audio held now; never more than the limit."""
        return self._size

    def get(self, key: str) -> bytes | None:
        """Return the audio of a key, s16le mono; None if there is none."""
        audio = self._audio.get(key)
        if audio is not None:
            self._audio.move_to_end(key)
        return audio

    def put(self, key: str, audio: bytes, *, keep: bool = False) -> None:
        """Hold the audio of a key; what is larger than the whole cache is not held.

        Args:
            key: Key of its recipe.
            audio: All of it: a part of a clause must never come here.
            keep: Let go of everything else first.
        """
        self._drop(key)
        if not audio or len(audio) > self._limit:
            return
        if keep:
            self._kept.add(key)
        self._audio[key] = audio
        self._size += len(audio)
        while self._size > self._limit:
            oldest = next((each for each in self._audio if each not in self._kept), None)
            self._drop(oldest or next(iter(self._audio)))
        metrics.CACHE_BYTES.set(self._size)

    def _drop(self, key: str) -> None:
        self._kept.discard(key)
        self._size -= len(self._audio.pop(key, b""))


def _normal(text: str) -> str:
    """Undo differences that cannot be heard; case and punctuation shape the melody and stay."""
    plain = unicodedata.normalize("NFC", text).translate(_QUOTES)
    return _SPACES.sub(" ", plain).strip()
