"""What Whisper is given to find the words of a sentence."""

import re

import numpy as np
import pytest

from agent.bench.tts import alignment as tts_alignment
from agent.bench.tts.alignment import align
from agent.bench.tts.corpus import Sentence

pytestmark = pytest.mark.unit


class FakeWhisper:
    """Takes each token to last a second; some are likelier than others.

    Attributes:
        given: What it was given.
    """

    hf_tokenizer = None

    def __init__(self, *likely: str) -> None:
        self.given: list[str] = []
        self._likely = likely

    def feature_extractor(self, audio: np.ndarray) -> np.ndarray:
        return np.zeros((80, 101), np.float32)

    def encode(self, features: np.ndarray) -> None: ...

    def find_alignment(
        self, tokenizer: object, tokens: list[list[str]], encoded: None, frames: int
    ) -> list[list[dict[str, object]]]:
        self.given.append("".join(tokens[0]).strip())
        return [
            [
                {
                    "word": word,
                    "tokens": [at],
                    "start": float(at),
                    "end": float(at + 1),
                    "probability": 0.9 if word.strip() in self._likely else 0.1,
                }
                for at, word in enumerate(tokens[0])
            ]
        ]


class FakeTokenizer:
    """A token is a word with the space before it, or a hyphen, or what follows one."""

    def __init__(self, *_: object, **__: object) -> None: ...

    def encode(self, text: str) -> list[str]:
        return re.findall(r" ?[^ -]+|-", text)


@pytest.fixture(autouse=True)
def tokenizer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tts_alignment, "Tokenizer", FakeTokenizer)


def recording(*seconds: tuple[float, float]) -> np.ndarray:
    """Five seconds of a tone, silent from one second to another."""
    time = np.arange(5 * 16_000) / 16_000
    audio = 0.5 * np.sin(2 * np.pi * 300 * time)
    for start, end in seconds:
        audio[(time >= start) & (time < end)] = 0
    return audio.astype(np.float32)


def times(whisper: FakeWhisper, sentence: Sentence, audio: np.ndarray) -> list[tuple[float, float]]:
    return [(word.start, word.end) for word in align(whisper, sentence, audio)]


@pytest.mark.parametrize(
    ("likely", "expected"),
    [
        (("twenty", "six"), [(0, 1), (1, 5), (5, 6)]),
        (("two", "thousand", "six"), [(0, 1), (1, 6), (6, 7)]),
    ],
)
def test_a_number_begins_with_its_first_word_and_ends_with_its_last(
    likely: tuple[str, ...], expected: list[tuple[float, float]]
) -> None:
    ways = ["In twenty_twenty-six maybe.", "In two_thousand_twenty-six maybe."]
    sentence = Sentence("en", "In 2026 maybe.", "In 2026 maybe.", ways)
    assert times(FakeWhisper(*likely), sentence, recording()) == expected


@pytest.mark.parametrize(
    ("likely", "given"),
    [(("fourteen,",), "from fourteen, to eighteen."), (("to,",), "from fourteen to, eighteen.")],
)
def test_a_pause_is_given_as_a_comma_where_it_is_likeliest(
    likely: tuple[str, ...], given: str
) -> None:
    text = "from fourteen to eighteen."
    whisper = FakeWhisper(*likely)
    found = align(whisper, Sentence("en", text, text, [text]), recording((2.2, 2.8)))
    assert " ".join(word.text for word in found) == given


def test_a_pause_that_a_sign_tells_of_changes_nothing() -> None:
    text = "from fourteen, to eighteen."
    whisper = FakeWhisper()
    align(
        whisper, Sentence("en", text, text, [text]), recording((2.2, 2.8), (0.0, 0.3), (4.8, 5.0))
    )
    assert whisper.given == [text]
