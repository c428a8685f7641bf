"""Whisper without its weights: shapes, batches, prompts, languages, times of words, failures."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from livekit.plugins.local.engine.device import Device
from livekit.plugins.local.engine.stt import whisper as whisper_module
from livekit.plugins.local.engine.stt.base import BatchingModel
from livekit.plugins.local.engine.stt.looping import token_limit
from livekit.plugins.local.engine.stt.whisper import WhisperRecogniser
from livekit.plugins.local.engine.stt.words import align
from livekit.plugins.local.errors import EngineError

from tests.support.whisper import (
    CPU,
    GPU,
    LANGUAGES,
    Answer,
    FakeModel,
    FakeTokenizer,
    fake_whisper,
    load,
    load_unasked,
    speech,
)

pytestmark = pytest.mark.unit


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeModel:
    return fake_whisper(monkeypatch)


@pytest.fixture
def ear(fake: FakeModel) -> WhisperRecogniser:
    return load_unasked(fake)


def test_it_is_a_model_that_can_do_batches(ear: WhisperRecogniser) -> None:
    assert isinstance(ear, BatchingModel)


@pytest.mark.parametrize(
    ("seconds", "draft", "context"),
    [
        (0.5, False, 10),
        (7.4, False, 10),
        (7.5, False, 11),
        (12.4, False, 15),
        (12.5, False, 20),
        (17.5, False, 25),
        (30, False, 30),
        (3, True, 8),
        (8, True, 11),
    ],
)
def test_the_context_is_little_more_than_the_utterance(
    ear: WhisperRecogniser, fake: FakeModel, seconds: float, draft: bool, context: int
) -> None:
    ear.transcribe_batch([speech(seconds, draft=draft)])
    assert fake.shapes == [(1, 80, 100 * context)]


@pytest.mark.parametrize(("device", "wanted"), [(CPU, "full"), (GPU, "auto")])
def test_the_full_context_on_request_and_on_a_gpu(
    fake: FakeModel, device: Device, wanted: str
) -> None:
    ear = load(device, encoder_context=wanted)
    ear.transcribe_batch([speech(1), speech(1)])
    assert fake.shapes[-1] == (2, 80, 3000)


def test_only_equal_shapes_searches_and_prompts_share_a_call(ear: WhisperRecogniser) -> None:
    key = ear.batch_key(speech(2, beam_size=5))
    assert key == ear.batch_key(speech(7, beam_size=5, current="fr", candidates=LANGUAGES))
    for other in (
        speech(14, beam_size=5),
        speech(2, beam_size=1),
        speech(2, beam_size=5, draft=True),
        speech(2, beam_size=5, keyterms=("Sintra",)),
        speech(2, beam_size=5, words=True),
    ):
        assert ear.batch_key(other) != key
    words = speech(2, words=True)
    assert ear.batch_key(words) != ear.batch_key(words), "word times are found one by one"


def test_a_batch_has_a_prompt_and_an_answer_for_each(
    ear: WhisperRecogniser, fake: FakeModel
) -> None:
    fake.answers = [Answer(" one"), Answer(" deux", -0.5)]
    requests = [speech(2), speech(3, current="fr", candidates=("fr",))]
    english, french = ear.transcribe_batch(requests)
    assert (english.text, english.language) == ("one", "en")
    assert (french.text, french.language, french.avg_logprob) == ("deux", "fr", -0.5)
    (asked,) = fake.asked
    assert asked["prompts"] == [[20_000, 20_001, 10_001], [20_000, 20_002, 10_001]]
    # CTranslate2 generates half of this, or what the prompt leaves.
    assert asked["max_length"] == 2 * token_limit(3)
    assert fake.detections == 0


@pytest.mark.parametrize(
    ("french", "answers", "language", "hearings"),
    [
        (0.1, [Answer(" Yes.")], "en", 1),
        (0.99, [Answer(" Oui.")], "fr", 1),
        (0.6, [Answer(" Yes."), Answer(" Oui.")], "fr", 2),
        (0.6, [Answer(" Yes.", -0.3), Answer(" Oui.", -0.6)], "en", 2),
        (0.4, [Answer(" Yes.", -0.6), Answer(" Oui.", -0.3)], "fr", 2),
        (0.6, [Answer(" Yes.", -0.6), Answer(" je y va je y va", -0.1)], "en", 2),
    ],
)
def test_a_doubtful_utterance_is_heard_in_both_languages(
    ear: WhisperRecogniser,
    fake: FakeModel,
    french: float,
    answers: list[Answer],
    language: str,
    hearings: int,
) -> None:
    # The rest is on a language that nobody speaks here.
    fake.scores = {"en": (1 - french) / 2, "fr": french / 2, "de": 0.5}
    fake.answers = list(answers)
    request = speech(3, candidates=("en", "fr"), speech_seconds=2.0, settled=True)
    (heard,) = ear.transcribe_batch([request])
    assert heard.language == language
    assert heard.text == answers[0 if language == "en" else -1].text.strip()
    assert heard.language_probability == pytest.approx(french if language == "fr" else 1 - french)
    assert len(fake.asked) == hearings
    assert len(fake.shapes) == 1, "the sound is encoded once"


def test_the_doubtful_one_of_a_batch_is_heard_alone(
    ear: WhisperRecogniser, fake: FakeModel
) -> None:
    fake.scores = {"en": 0.5, "fr": 0.5}
    fake.answers = [Answer(" Yes."), Answer(" No.", -0.5), Answer(" Non.", -0.2)]
    requests = [speech(3, draft=False), speech(3, candidates=("en", "fr"), speech_seconds=2.0)]
    first, second = ear.transcribe_batch(requests)
    assert (first.text, second.text) == ("Yes.", "Non.")
    assert [shape[0] for shape in fake.shapes] == [2, 1]


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_what_nobody_wants_any_more_is_given_up_between_two_steps(
    ear: WhisperRecogniser, fake: FakeModel, steps: int
) -> None:
    answers = iter([True] * steps + [False])
    both = {"candidates": ("en", "fr")}
    unwanted = speech(1, draft=True, wanted=lambda: next(answers), **both)
    with pytest.raises(EngineError, match="more urgent") as given_up:
        ear.transcribe_batch([unwanted])
    assert given_up.value.retryable
    assert len(fake.shapes) == (steps > 0)
    assert (fake.detections, fake.asked) == (steps > 1, [])
    # Somebody wants one of them.
    unwanted = speech(1, draft=True, wanted=lambda: False, **both)
    assert len(ear.transcribe_batch([unwanted, speech(1, draft=True, **both)])) == 2


def test_key_terms_come_before_the_text_and_leave_room_for_it(
    ear: WhisperRecogniser, fake: FakeModel
) -> None:
    ear.transcribe_batch([speech(2, keyterms=("Sintra", "Lisboa"))])
    (prompt,) = fake.asked[0]["prompts"]
    assert prompt[0] == FakeTokenizer.sot_prev
    assert FakeTokenizer.decode(ear._prompts.tokenizer("en"), prompt[1:-3]) == " Sintra, Lisboa"
    ear.transcribe_batch([speech(2, keyterms=("long" * 200,))])
    longest = len(fake.asked[1]["prompts"][0])
    assert longest <= 224 + 2
    assert fake.asked[1]["max_length"] == longest + token_limit(2)


@pytest.mark.parametrize(
    ("device", "error", "code", "said"),
    [
        (CPU, "something", "failed", "something"),
        (GPU, "CUDA failed with error out of memory", "gpu_memory", "out of memory"),
        (GPU, "CUDA failed with error unknown", "gpu_failed", "check the driver"),
    ],
)
def test_a_failing_model_says_why(
    fake: FakeModel, device: Device, error: str, code: str, said: str
) -> None:
    ear = load(device)
    fake.error = RuntimeError(error)
    with pytest.raises(EngineError, match=said) as failure:
        ear.transcribe(np.zeros(16_000, np.float32), current="en", candidates=["en"], beam_size=1)
    assert failure.value.code == code
    fake.error = None
    assert ear.transcribe_batch([speech(1)])[0].text == "Hello."


def test_a_damaged_model_is_one_sentence(fake: FakeModel) -> None:
    fake.error = RuntimeError("Unable to open file 'model.bin'")
    with pytest.raises(EngineError, match="eloquence models pull"):
        load(CPU)


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"model.bin": b""},
        {"model.bin": b"\x06\0\0\0" + b"\xff" * 64, "config.json": b"{}", "tokenizer.json": b"{}"},
        {"model.bin": b"\x06\0\0\0", "config.json": b"{", "tokenizer.json": b"\0"},
    ],
    ids=["nothing", "empty", "garbage", "cut off"],
)
def test_damaged_files_are_one_sentence(tmp_path: Path, files: dict[str, bytes]) -> None:
    """The library itself reads them, and fails as it does."""
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(EngineError, match="eloquence models pull") as failure:
        WhisperRecogniser(tmp_path, name="whisper-base", device=CPU, threads=1)
    assert not failure.value.retryable
    assert "\n" not in failure.value.message


def test_a_damaged_vocabulary_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """`tokenizers` raises nothing narrower than `Exception`."""

    def refuse(*_: object, **__: object) -> None:
        raise Exception("expected value at line 1 column 1")

    monkeypatch.setattr(whisper_module, "WhisperModel", refuse)
    with pytest.raises(EngineError, match="expected value"):
        load(CPU)


def test_loading_claims_the_memory_of_a_whole_batch(fake: FakeModel) -> None:
    load(CPU, batch=4)
    assert fake.shapes == [(4, 80, 1500)]


def test_a_mark_that_stands_alone_goes_with_the_word_before(ear: WhisperRecogniser) -> None:
    tokens = [ord(letter) for letter in " a - b"]

    def aligned(*_: Any) -> list[Any]:
        pairs = [(token, 5 * token) for token in range(len(tokens) + 1)]
        return [SimpleNamespace(alignments=pairs, text_token_probs=[0.5] * len(tokens))]

    model: Any = SimpleNamespace(align=aligned)
    tokenizer: Any = ear._prompts.tokenizer("en")
    encoded: Any = SimpleNamespace(shape=[1, 750, 512])
    words = align(model, tokenizer, encoded, tokens, 1.0)
    assert [word.text for word in words] == ["a -", "b"]


def test_words_have_times_that_never_go_back(ear: WhisperRecogniser, fake: FakeModel) -> None:
    text = " I'm there, you."
    tokens = [ord(letter) for letter in text]

    def aligned(_: Any, start: list[int], texts: list[list[int]], frames: int) -> list[Any]:
        assert (texts, frames) == ([tokens], 200)
        # Each token lasts 0.1 s, seen at two encoder positions.
        pairs = [(token, 5 * token + half) for token in range(len(tokens) + 1) for half in (0, 1)]
        return [SimpleNamespace(alignments=pairs, text_token_probs=[0.5] * len(tokens))]

    model: Any = SimpleNamespace(align=aligned)
    tokenizer: Any = ear._prompts.tokenizer("en")
    encoded: Any = SimpleNamespace(shape=[1, 750, 512])
    words = align(model, tokenizer, encoded, tokens, 2.0)
    assert [word.text for word in words] == ["I'm", "there,", "you."]
    assert [word.start for word in words] == pytest.approx([0.0, 0.4, 1.1])
    assert [word.end for word in words] == pytest.approx([0.4, 1.1, 1.6])
    assert {word.confidence for word in words} == {0.5}
    assert align(model, tokenizer, encoded, [], 2.0) == ()
