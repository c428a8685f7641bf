from pathlib import Path

import pytest
from livekit.plugins.local.engine.tts.base import EngineContext
from livekit.plugins.local.engine.tts.kokoro import KokoroEngine, split_phonemes
from livekit.plugins.local.engine.tts.kokoro_symbols import SYMBOL_IDS
from livekit.plugins.local.errors import EngineError

pytestmark = pytest.mark.unit


def test_vocabulary_has_the_114_symbols_of_the_network() -> None:
    assert len(SYMBOL_IDS) == len(set(SYMBOL_IDS.values())) == 114
    assert {symbol: SYMBOL_IDS[symbol] for symbol in "; akzɑɹʁˈː→ᵻ"} == {
        ";": 1, " ": 16, "a": 43, "k": 53, "z": 68, "ɑ": 69, "ɹ": 123, "ʁ": 128,
        "ˈ": 156, "ː": 158, "→": 171, "ᵻ": 177,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("phonemes", "parts"),
    [
        ("a b c", ["a b c"]),
        ("", []),
        ("aa bb. cc, dd ee", ["aa bb.", "cc, dd ee"]),
        ("aa bb, cc dd ee", ["aa bb,", "cc dd ee"]),
        ("aa bb cc dd ee", ["aa bb cc", "dd ee"]),
        ("aaaaa bbbb cc", ["aaaaa bbbb", "cc"]),
        ("a" * 25, ["a" * 10, "a" * 10, "a" * 5]),
    ],
)
def test_long_phonemes_are_cut_at_punctuation_then_words(phonemes: str, parts: list[str]) -> None:
    assert split_phonemes(phonemes, 10) == parts


def test_missing_program_is_one_sentence_that_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    engine = KokoroEngine(EngineContext(lambda _: tmp_path, threads=1))
    with pytest.raises(EngineError) as caught:
        engine.load()
    assert caught.value.code == "missing_package"
    assert caught.value.message.startswith(
        "A voice of Kokoro needs the program espeak-ng, which is not installed; install it with"
    )
