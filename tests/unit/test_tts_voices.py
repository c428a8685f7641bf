import pytest
from livekit.plugins.local.engine.tts.registry import ENGINES, engines_for, models_for
from livekit.plugins.local.engine.tts.voices import VoiceBook
from livekit.plugins.local.errors import EngineError

pytestmark = pytest.mark.unit

EN, FR = frozenset({"en"}), frozenset({"fr"})


@pytest.fixture
def book() -> VoiceBook:
    book = VoiceBook({"en": "hibari/heart", "fr": "kokoro/ff_siwis"}, ENGINES)
    book.add("hibari", {"heart": EN})
    book.add("kokoro", {"af_heart": EN, "ff_siwis": FR})
    book.add("espeak", {"en": EN, "fr": FR, "fr-be": FR, "de": frozenset({"de"})})
    return book


@pytest.mark.parametrize(
    ("voice", "language", "expected"),
    [
        (None, "en", ("hibari", "heart", "en")),
        (None, "fr", ("kokoro", "ff_siwis", "fr")),
        (None, "FR-ca", ("kokoro", "ff_siwis", "fr")),
        (None, "de", ("espeak", "de", "de")),
        ("kokoro/af_heart", "en", ("kokoro", "af_heart", "en")),
        ("espeak/fr-be", "fr", ("espeak", "fr-be", "fr")),
    ],
)
def test_chosen_voice(
    book: VoiceBook, voice: str | None, language: str, expected: tuple[str, str, str]
) -> None:
    assert book.resolve(voice, language) == expected


@pytest.mark.parametrize(
    ("voice", "language", "code", "sentence"),
    [
        (
            "kokoro/nobody",
            "fr",
            "unknown_voice",
            "There is no voice kokoro/nobody; for 'fr' there are "
            "espeak/fr, espeak/fr-be, kokoro/ff_siwis.",
        ),
        (
            "siri/one",
            "en",
            "unknown_voice",
            "There is no voice siri/one; for 'en' there are "
            "espeak/en, hibari/heart, kokoro/af_heart.",
        ),
        (
            "kokoro/ff_siwis",
            "en",
            "unknown_language",
            "The voice kokoro/ff_siwis does not speak 'en'; for 'en' there are "
            "espeak/en, hibari/heart, kokoro/af_heart.",
        ),
        (
            None,
            "xx",
            "unknown_language",
            "No voice speaks 'xx'; there are voices for de, en, fr.",
        ),
    ],
)
def test_what_does_not_exist_is_one_sentence_with_what_does(
    book: VoiceBook, voice: str | None, language: str, code: str, sentence: str
) -> None:
    with pytest.raises(EngineError) as caught:
        book.resolve(voice, language)
    assert (caught.value.code, caught.value.message) == (code, sentence)


def test_engine_that_has_not_loaded_is_trusted() -> None:
    book = VoiceBook({"en": "hibari/heart"}, ["hibari", "espeak"])
    assert book.resolve(None, "en") == ("hibari", "heart", "en")
    assert book.resolve(None, "fr") == ("espeak", "fr", "fr")


def test_without_last_resort_an_unconfigured_language_is_unknown() -> None:
    book = VoiceBook({"en": "hibari/heart"}, ["hibari"])
    book.add("hibari", {"heart": EN})
    with pytest.raises(EngineError, match="No voice speaks 'fr'; there are voices for en"):
        book.resolve(None, "fr")


def test_configured_voice_is_checked_when_its_engine_has_loaded() -> None:
    book = VoiceBook({"en": "hibari/hart"}, ["hibari"])
    with pytest.raises(EngineError, match="no voice hibari/hart; for 'en' there are hibari/heart"):
        book.add("hibari", {"heart": EN})


def test_engines_and_models_that_a_choice_of_voices_needs() -> None:
    engines = engines_for({"en": "hibari/heart", "fr": "kokoro/ff_siwis", "de": "espeak/de"})
    assert engines == ["hibari", "kokoro", "espeak"]
    assert models_for(engines) == ["kokoro-82m-q8", "kokoro-voices"]
    assert models_for(engines_for({"en": "hibari/heart"})) == []


def test_unknown_engine_is_one_sentence_with_those_there_are() -> None:
    with pytest.raises(EngineError, match="no voice engine 'siri'; there are chatterbox, espeak, "):
        engines_for({"en": "siri/one"})
